# SPDX-License-Identifier: MIT
# `service top` in a terminal, as tmux draws it: keys, widths, many domains, one that ends, a Dom0 that ends.
. "$(dirname "$0")/functions.sh"

requires tmux
[ -z "${TEST_SAN:-}" ] || skip "not under sanitizers: what draws is a library without them"
[ -n "$(ldd "$BIN/service" 2>/dev/null | grep -E 'libncurses|libtinfo')" ] || skip "service was built without ncurses"
image disk1.img 4
start_service --shared-cache off --vif bridge=xenbr0

tm() { tmux -S "$SPLITDOM_RUNDIR/t" -f /dev/null "$@"; }
cleanup_fn tm kill-server
screen() { tm capture-pane -p; }
# shows PATTERN: a line of the screen does, soon
on_screen() { screen | grep -qE -- "$1"; }
off_screen() { ! on_screen "$1"; }
shows() { eventually 5 on_screen "$1" || die "no '$1' on the screen: $(screen)"; }
lacks() { eventually 5 off_screen "$1" || die "'$1' stays on the screen: $(screen)"; }
rows() { screen | grep -cE '^ +DomU-[0-9]+ '; }

sessions=() inputs=()
session() {
    local fifo=fifo.${#sessions[@]} input
    mkfifo "$fifo"
    "$TEST_BIN/disk_session" <"$fifo" >/dev/null 2>&1 &
    sessions+=($!)
    exec {input}>"$fifo"
    inputs+=("$input")
}

session
eventually 5 connected 1 || die "no connection"
tm new-session -d -x 80 -y 24 \
    "'$BIN/service' top -d 0.2 2>'$SCRATCH/err'; echo \"exit \$?\"; exec sleep 1000" || skip "tmux does not start here"
shows '^service top - default  '
shows '^      NAME  STATE CPU\(%\)   VBD_RD   VBD_WR    TDF FILL\(%\)    REQ/S W_TURN W_DISK$'
shows '^  Domain-0 [-a-z]{6} '
shows '^    DomU-1 [-a-z]{6} '
shows 'q quit'

# Five domains; each key does what it says.
for count in 2 3 4 5; do # one after the other: the third is domain 3
    session
    eventually 5 connected $count || die "no connection"
done
shows '^    DomU-5 '
shows '^5 domains: '
tm send-keys x
shows '^ +xvda  oo 0  rd [0-9]+ '
tm send-keys x
lacks '^ +xvda '
tm send-keys n
shows '^ +vif1\.0  sent [0-9]+ frames, '
tm send-keys n
lacks '^ +vif1\.0 '
tm send-keys Right Right Right
shows '^      NAME     MEM\(k\) MEM\(%\)'
tm send-keys Left Left Left
shows '^      NAME  STATE CPU'
tm send-keys p
shows '^PAUSED '
tm send-keys p
lacks '^PAUSED '
tm send-keys d
shows '^delay in seconds:'
tm send-keys 0.5 Enter
shows '^0\.5 s '
tm send-keys S S # by name, as strcmp has it
eventually 5 eval '[ "$(screen | sed -n 10p | cut -c 1-10)" = "  Domain-0" ]' || die "not by name: $(screen)"

# One that ends is named, and its row goes.
service rename 3 quitter || die "rename"
shows '^   quitter '
tm send-keys d
shows '^delay in seconds:'
tm send-keys 2 Enter
shows '^2\.0 s '
kill "${sessions[2]}"
shows '^ended: quitter \(3\)$'
tm send-keys d
tm send-keys 0.2 Enter
lacks '^   quitter '
shows '^0\.2 s '

# More than there is room for.
while [ ${#sessions[@]} -lt 61 ]; do session; done
eventually 20 connected 60 || die "not 60 domains"
shows '^60 domains: '
[ "$(screen | wc -l)" -le 24 ] || die "$(screen)"
shows ' 1-19/61$'
tm send-keys NPage NPage NPage NPage
shows ' 43-61/61$'
eventually 5 eval '[ "$(rows)" = 18 ]' || die "$(rows) rows: $(screen)"
tm send-keys Up
shows ' 42-60/61$'
tm send-keys Home
shows ' 1-19/61$'

# Narrow and low.
tm resize-window -x 24 -y 8 2>/dev/null || skip "this tmux has no resize-window; all before that passed"
shows '^      NAME  STATE CPU\(%\)$'
eventually 5 eval '[ "$(screen | awk "length > 24" | wc -l)" = 0 ]' || die "too wide: $(screen)"
tm resize-window -x 5 -y 2
tm resize-window -x 80 -y 24
shows '^      NAME  STATE CPU\(%\)   VBD_RD '

# Dom0 ends: the terminal is as it was, with the reason and its exit status.
service stop >/dev/null || die "no stop"
shows '^exit 3$'
[ "$(cat err)" = "service: Dom0 has ended" ] || die "$(cat err)"

# q ends it, too; and so do SIGTERM and ctrl-\, in order.
"$BIN/service" start || die "no start"
tm respawn-pane -k "'$BIN/service' top; echo \"exit \$?\"; exec sleep 1000"
shows '^0 domains: '
tm send-keys q
shows '^exit 0$'
tm respawn-pane -k "sh -c 'echo \$\$ >\"$SCRATCH/pid\"; exec \"$BIN/service\" top'; echo \"exit \$?\"; exec sleep 1000"
shows '^0 domains: '
kill "$(cat pid)"
shows '^exit 0$'
tm respawn-pane -k "'$BIN/service' top; echo \"exit \$?\"; stty | grep -E 'echo|icanon'; echo asked; exec sleep 1000"
shows '^0 domains: '
tm send-keys 'C-\'
shows '^exit 0$'
shows '^asked$'
lacks '-echo|-icanon'
TERM=nothing expect 1 'no terminal|not known' service top </dev/null
