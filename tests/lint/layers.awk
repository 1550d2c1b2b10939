# SPDX-License-Identifier: MIT
# Reads layers.rules, then C files. Prints each #include that crosses a layer.

function complain(file, line, text) {
    printf "%s:%d: %s\n", file, line, text
    bad = 1
}

# The file that #include "name" in `from` means, "" if it is none of those read.
function resolve(from, name,    own) {
    own = from
    sub(/[^\/]*$/, "", own)
    if ((own name) in is_file) return own name
    if (("src/" name) in is_file) return "src/" name
    if (("include/" name) in is_file) return "include/" name
    if (("tests/" name) in is_file) return "tests/" name
    return ""
}

# Does `from` reach `target` through includes? Remembers the files already visited in seen[].
function reaches(from, target, seen,    i, n, next_file) {
    if (from == target) return 1
    if (from in seen) return 0
    seen[from] = 1
    n = include_count[from]
    for (i = 1; i <= n; i++) {
        next_file = resolve(from, include_name[from, i])
        if (next_file != "" && reaches(next_file, target, seen)) return 1
    }
    return 0
}

FILENAME ~ /layers\.rules$/ {
    if (/^#/ || NF == 0) next
    if ($1 == "never") {
        never_from[++never_count] = $2
        never_to[never_count] = $3
        next
    }
    allowed[$1] = $0
    next
}

FNR == 1 { is_file[FILENAME] = 1 }

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    name = $0
    sub(/^[^<"]*[<"]/, "", name)
    sub(/[>"].*$/, "", name)
    quoted = ($0 ~ /include[ \t]*"/)
    if (!quoted && name ~ /^xen/ && FILENAME !~ /^tests\//)
        complain(FILENAME, FNR, "<" name ">: only tests may use libxen's headers")
    if (!quoted && name !~ /^(splitdom|base|ring|tdf|xenstore|service|domu|client|bridge|run)\//) next
    i = ++include_count[FILENAME]
    include_name[FILENAME, i] = name
    include_line[FILENAME, i] = FNR
}

function check_one(file, line, name,    prefix, p, words, n, i) {
    prefix = ""
    for (p in allowed)
        if (index(file, p) == 1 && length(p) > length(prefix)) prefix = p
    if (prefix == "") {
        complain(file, line, "no rule in layers.rules for this directory")
        return
    }
    if (file ~ /^tests\/fuzz\// && name ~ /^\.\.\/\.\.\/tools\/integrity\/[a-z_0-9]+\.h$/)
        return
    if (name ~ /\.\./) {
        complain(file, line, "\"" name "\": spell it from include/ or src/")
        return
    }
    n = split(allowed[prefix], words, /[ \t]+/)
    for (i = 2; i <= n; i++) {
        if (words[i] == "." && name !~ /\//) return
        if (words[i] != "." && index(name, words[i]) == 1) return
    }
    complain(file, line, prefix " may not include \"" name "\"")
}

END {
    for (file in is_file)
        for (i = 1; i <= include_count[file]; i++)
            check_one(file, include_line[file, i], include_name[file, i])
    for (k = 1; k <= never_count; k++)
        for (file in is_file) {
            if (index(file, never_from[k]) != 1) continue
            split("", seen)
            if (reaches(file, never_to[k], seen))
                complain(file, 1, "reaches " never_to[k] ", the other side's half")
        }
    exit bad
}
