/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_screen.h"

#include <errno.h>

#ifdef HAVE_NCURSES

#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "service/cli/top/top_head.h"
#include "service/cli/top/top_layout.h"

enum {
    KEY_ESCAPE = 27,
    DELAY_LEAST_MS = 50,
    DELAY_MOST_MS = 3600 * 1000,
};

struct view {
    struct top_sample now, before;
    bool has_before, disks, networks, paused, ends;
    enum top_column sort;
    int skip;          /* columns */
    size_t first_line; /* of the table's lines that is shown */
    uint64_t delay_ms;
    char message[TOP_LINE_SIZE]; /* which domains have ended since the last sample */
};

/* Prints a line of the table if it is on the screen. */
static void put_line(const struct view *view, size_t line, const char *text)
{
    int y = TOP_HEAD_LINES + 1 + (int)(line - view->first_line);
    if (line >= view->first_line && y < LINES - 1)
        mvaddnstr(y, 0, text, COLS);
}

static void draw_titles(const struct view *view, const struct top_layout *layout)
{
    char line[TOP_LINE_SIZE];
    top_layout_head(layout, line);
    attron(A_REVERSE);
    mvhline(TOP_HEAD_LINES, 0, ' ', COLS);
    mvaddnstr(TOP_HEAD_LINES, 0, line, COLS);
    const char *title = top_layout_title(view->sort);
    const char *place = strstr(line, title);
    if (place != NULL) {
        attron(A_BOLD | A_UNDERLINE);
        mvaddnstr(TOP_HEAD_LINES, (int)(place - line), title, COLS - (int)(place - line));
        attroff(A_BOLD | A_UNDERLINE);
    }
    attroff(A_REVERSE);
}

static void draw_foot(const struct view *view, size_t lines)
{
    char text[TOP_LINE_SIZE];
    size_t room = LINES > TOP_HEAD_LINES + 2 ? (size_t)LINES - TOP_HEAD_LINES - 2 : 0;
    snprintf(text, sizeof(text),
             "%s%.1f s  q quit  s sort  d delay  n nets  x disks  p pause  arrows",
             view->paused ? "PAUSED  " : "", (double)view->delay_ms / 1000);
    if (view->message[0] != '\0')
        snprintf(text, sizeof(text), "%s", view->message);
    else if (lines > room && room > 0)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "  %zu-%zu/%zu",
                 view->first_line + 1,
                 view->first_line + room < lines ? view->first_line + room : lines, lines);
    mvaddnstr(LINES - 1, 0, text, COLS - 1);
}

static void draw_head(const struct view *view)
{
    char lines[TOP_HEAD_LINES][TOP_LINE_SIZE], clock[16];
    time_t seconds = time(NULL);
    struct tm broken = {0};
    localtime_r(&seconds, &broken);
    strftime(clock, sizeof(clock), "%H:%M:%S", &broken);
    top_head_write(&view->now, view->has_before ? &view->before : NULL, clock, COLS, lines);
    for (int i = 0; i < TOP_HEAD_LINES; i++)
        mvaddnstr(i, 0, lines[i], COLS);
}

/* Keeps the last line of the table at the bottom, if there are more than fit. */
static void bound_first_line(struct view *view, size_t lines)
{
    size_t room = LINES > TOP_HEAD_LINES + 2 ? (size_t)LINES - TOP_HEAD_LINES - 2 : 1;
    size_t last = lines > room ? lines - room : 0;
    if (view->first_line > last)
        view->first_line = last;
}

static int draw(struct view *view)
{
    struct top_table table;
    const struct top_layout layout = top_layout_terminal(COLS, view->skip);
    char text[TOP_LINE_SIZE];
    int rc = top_table_make(&table, &view->now, view->has_before ? &view->before : NULL);
    if (rc < 0)
        return rc;
    top_table_sort(&table, view->sort);
    size_t lines = table.count + (view->disks ? view->now.disk_count : 0) +
                   (view->networks ? view->now.vif_count : 0);
    size_t line = 0;
    bound_first_line(view, lines);
    erase();
    draw_head(view);
    draw_titles(view, &layout);
    for (size_t i = 0; i < table.count; i++) {
        top_layout_row(&layout, &table.rows[i], text);
        put_line(view, line++, text);
        for (size_t j = 0; view->networks && j < table.rows[i].vif_count; j++) {
            top_layout_vif(&layout, &table.rows[i].vifs[j], text);
            put_line(view, line++, text);
        }
        for (size_t j = 0; view->disks && j < table.rows[i].disk_count; j++) {
            top_layout_disk(&layout, &table.rows[i].disks[j], text);
            put_line(view, line++, text);
        }
    }
    draw_foot(view, lines);
    refresh();
    top_table_free(&table);
    return 0;
}

/* The column that is shown beside the one of the order, in a circle. */
static enum top_column next_sort(const struct view *view, int step)
{
    const struct top_layout layout = top_layout_terminal(COLS, view->skip);
    int at = 0;
    while (at < layout.count && layout.columns[at] != view->sort)
        at++;
    if (at == layout.count) /* not shown any more */
        return layout.columns[0];
    return layout.columns[(at + step + layout.count) % layout.count];
}

static void ask_delay(struct view *view)
{
    char text[16] = "";
    uint64_t delay_ms;
    move(LINES - 1, 0);
    clrtoeol();
    addnstr("delay in seconds: ", COLS - 1);
    echo();
    curs_set(1);
    nodelay(stdscr, FALSE);
    timeout(10000); /* nobody there: go on */
    int rc = getnstr(text, (int)sizeof(text) - 1);
    noecho();
    curs_set(0);
    nodelay(stdscr, TRUE);
    if (rc == OK && decimal_parse_scaled(text, 3, DELAY_MOST_MS, &delay_ms) == 0 &&
        delay_ms >= DELAY_LEAST_MS)
        view->delay_ms = delay_ms;
}

static void scroll_by(struct view *view, long lines)
{
    if (lines < 0 && view->first_line < (size_t)-lines)
        view->first_line = 0;
    else
        view->first_line += (size_t)lines;
}

/* Keys that move what is shown; others do nothing. After KEY_RESIZE the screen is drawn anew, as
 * after any key. */
static void move_view(struct view *view, int key)
{
    const long page = LINES - TOP_HEAD_LINES - 2;
    switch (key) {
    case KEY_LEFT:
        view->skip -= view->skip > 0;
        break;
    case KEY_RIGHT:
        view->skip += view->skip < TOP_COLUMNS - 2;
        break;
    case KEY_UP:
    case KEY_DOWN:
        scroll_by(view, key == KEY_UP ? -1 : 1);
        break;
    case KEY_PPAGE:
    case KEY_NPAGE:
        scroll_by(view, key == KEY_PPAGE ? -page : page);
        break;
    case KEY_HOME:
        view->first_line = 0;
        break;
    default:
        break;
    }
}

static void take_key(struct view *view, int key)
{
    switch (key) {
    case 'q':
    case 'Q':
    case KEY_ESCAPE:
        view->ends = true;
        break;
    case 's':
    case 'S':
        view->sort = next_sort(view, key == 's' ? 1 : -1);
        break;
    case 'd':
    case 'D':
        ask_delay(view);
        break;
    case 'x':
    case 'X':
        view->disks = !view->disks;
        break;
    case 'n':
    case 'N':
        view->networks = !view->networks;
        break;
    case 'p':
    case 'P':
    case ' ':
        view->paused = !view->paused;
        break;
    default:
        move_view(view, key);
        break;
    }
}

static int take_sample(struct view *view, const struct top_source *source, struct why *why)
{
    struct top_sample sample;
    int rc = source->take(source->ctx, &sample, why);
    if (rc < 0)
        return rc;
    top_sample_free(&view->before);
    view->before = view->now;
    view->now = sample;
    view->has_before = view->before.pid == view->now.pid; /* else it is another Dom0 */
    top_head_ended(&view->now, view->has_before ? &view->before : NULL, COLS - 1, view->message);
    return 0;
}

/* Takes keys until the time has come. Draws after each. A terminal that is gone ends the view. */
static int take_keys(struct view *view, int signal_fd, uint64_t until_ns)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = signal_fd, .events = POLLIN}};
    int rc = 0;
    while (rc == 0 && !view->ends) {
        uint64_t now_ns = clock_monotonic_ns();
        if (now_ns >= until_ns && !view->paused)
            break;
        int wait_ms = view->paused ? -1 : (int)((until_ns - now_ns + 999999) / 1000000);
        int count = poll(fds, 2, wait_ms);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0 && (fds[1].revents != 0 || (fds[0].revents & (POLLHUP | POLLERR)) != 0))
            view->ends = true;
        for (int key; !view->ends && (key = getch()) != ERR;)
            take_key(view, key);
        if (count != 0)
            rc = draw(view);
    }
    return rc;
}

static int run(struct view *view, const struct top_source *source, uint64_t iterations,
               int signal_fd, struct why *why)
{
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && !view->ends && (iterations == 0 || i < iterations); i++) {
        uint64_t began_ns = clock_monotonic_ns();
        rc = take_sample(view, source, why);
        if (rc < 0)
            return rc;
        rc = draw(view);
        if (rc == 0)
            rc = take_keys(view, signal_fd, began_ns + view->delay_ms * 1000000);
        if (rc < 0)
            why_fail_errno(why, rc, "cannot show the domains");
    }
    return rc;
}

static int open_signals(sigset_t *former)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, former);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void drop_signals(int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof(info)) > 0)
        continue;
}

int top_screen_run(const struct top_source *source, const struct top_wish *wish, struct why *why)
{
    struct view view = {.disks = wish->disks,
                        .networks = wish->networks,
                        .delay_ms = wish->delay_ms,
                        .sort = TOP_CPU_PERCENT};
    sigset_t former;
    if (isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0)
        return why_fail(why, -ENOTTY, "this is no terminal: 'service top -b' prints text");
    int signal_fd = open_signals(&former);
    if (signal_fd < 0)
        return why_fail_errno(why, signal_fd, "cannot take signals");
    SCREEN *screen = newterm(NULL, stdout, stdin);
    int rc = screen == NULL ? -ENOTTY : 0;
    if (screen != NULL) {
        cbreak();
        noecho();
        keypad(stdscr, TRUE);
        set_escdelay(50);
        nodelay(stdscr, TRUE);
        curs_set(0);
        rc = run(&view, source, wish->iterations, signal_fd, why);
        endwin();
        delscreen(screen);
    } else {
        why_fail(why, rc, "this terminal (TERM=%s) is not known: 'service top -b' prints text",
                 getenv("TERM") != NULL ? getenv("TERM") : "");
    }
    drop_signals(signal_fd); /* else they would come now */
    close(signal_fd);
    sigprocmask(SIG_SETMASK, &former, NULL);
    top_sample_free(&view.now);
    top_sample_free(&view.before);
    return rc;
}

#else

int top_screen_run(const struct top_source *source, const struct top_wish *wish, struct why *why)
{
    (void)source;
    (void)wish;
    return why_fail(why, -ENOTSUP,
                    "this service was built without ncurses: 'service top -b' prints text");
}

#endif
