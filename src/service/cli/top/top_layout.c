/* SPDX-License-Identifier: MIT */
#include "service/cli/top/top_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *title;
    int width;
    int rank; /* in a terminal: the lowest come first */
} columns[TOP_COLUMNS] = {
    [TOP_NAME] = {"NAME", 10, 0},
    [TOP_STATE] = {"STATE", 6, 1},
    [TOP_CPU_SEC] = {"CPU(sec)", 10, 14},
    [TOP_CPU_PERCENT] = {"CPU(%)", 6, 2},
    [TOP_MEM] = {"MEM(k)", 10, 16},
    [TOP_MEM_PERCENT] = {"MEM(%)", 6, 17},
    [TOP_MAXMEM] = {"MAXMEM(k)", 10, 24},
    [TOP_MAXMEM_PERCENT] = {"MAXMEM(%)", 9, 25},
    [TOP_VCPUS] = {"VCPUS", 5, 26},
    [TOP_NETS] = {"NETS", 4, 27},
    [TOP_NETTX] = {"NETTX(k)", 8, 28},
    [TOP_NETRX] = {"NETRX(k)", 8, 29},
    [TOP_VBDS] = {"VBDS", 4, 21},
    [TOP_VBD_OO] = {"VBD_OO", 8, 22},
    [TOP_VBD_RD] = {"VBD_RD", 8, 4},
    [TOP_VBD_WR] = {"VBD_WR", 8, 5},
    [TOP_VBD_RSECT] = {"VBD_RSECT", 10, 19},
    [TOP_VBD_WSECT] = {"VBD_WSECT", 10, 20},
    [TOP_SSID] = {"SSID", 4, 30},
    [TOP_DOMID] = {"DOMID", 5, 15},
    [TOP_TDF] = {"TDF", 6, 6},
    [TOP_WEIGHT] = {"WEIGHT", 6, 13},
    [TOP_RING] = {"RING", 4, 23},
    [TOP_FILL] = {"FILL(%)", 7, 7},
    [TOP_RATE] = {"REQ/S", 8, 3},
    [TOP_HITS] = {"HITS", 8, 18},
    [TOP_W_RING] = {"W_RING", 6, 12},
    [TOP_W_TURN] = {"W_TURN", 6, 8},
    [TOP_W_DISK] = {"W_DISK", 6, 9},
    [TOP_P50] = {"P50(us)", 9, 10},
    [TOP_P99] = {"P99(us)", 9, 11},
};

struct top_layout top_layout_scripts(void)
{
    struct top_layout layout = {.count = TOP_COLUMNS};
    for (int i = 0; i < TOP_COLUMNS; i++)
        layout.columns[i] = (enum top_column)i;
    return layout;
}

/* Of a width, what is left when the most important columns have their part. */
static void choose(bool shown[TOP_COLUMNS], int left)
{
    for (int rank = 1; rank < TOP_COLUMNS; rank++) {
        for (int i = 1; i < TOP_COLUMNS; i++) {
            if (columns[i].rank != rank)
                continue;
            if (columns[i].width + 1 > left)
                return;
            left -= columns[i].width + 1;
            shown[i] = true;
        }
    }
}

struct top_layout top_layout_terminal(int width, int skip)
{
    struct top_layout layout = {.width = width < TOP_LINE_SIZE ? width : TOP_LINE_SIZE - 1};
    bool shown[TOP_COLUMNS] = {[TOP_NAME] = true};
    int left = layout.width - columns[TOP_NAME].width;
    if (skip <= 0)
        choose(shown, left);
    for (int i = 1 + skip; skip > 0 && i < TOP_COLUMNS && columns[i].width + 1 <= left; i++) {
        shown[i] = true;
        left -= columns[i].width + 1;
    }
    for (int i = 0; i < TOP_COLUMNS; i++) {
        if (shown[i])
            layout.columns[layout.count++] = (enum top_column)i;
    }
    return layout;
}

const char *top_layout_title(enum top_column column)
{
    return columns[column].title;
}

/* Appends to the line as far as it goes. */
static void append(const struct top_layout *layout, char line[TOP_LINE_SIZE], const char *text)
{
    size_t used = strlen(line);
    size_t size = layout->width > 0 ? (size_t)layout->width + 1 : TOP_LINE_SIZE;
    if (used + 1 < size)
        snprintf(line + used, size - used, "%s", text);
}

static void append_cell(const struct top_layout *layout, char line[TOP_LINE_SIZE], int i,
                        const char *text)
{
    char padded[TOP_NAME_SIZE + 8];
    int width = columns[layout->columns[i]].width;
    if (layout->columns[i] == TOP_NAME || layout->width > 0)
        snprintf(padded, sizeof(padded), "%s%*.*s", i > 0 ? " " : "", width, width, text);
    else
        snprintf(padded, sizeof(padded), "%s%*s", i > 0 ? " " : "", width, text);
    append(layout, line, padded);
}

void top_layout_head(const struct top_layout *layout, char line[TOP_LINE_SIZE])
{
    line[0] = '\0';
    for (int i = 0; i < layout->count; i++)
        append_cell(layout, line, i, columns[layout->columns[i]].title);
}

/* 12345678 as 12.3M, within a few characters. */
static void shorten(double value, int width, char text[TOP_WORD_SIZE])
{
    static const char units[] = " kMGTPE";
    size_t unit = 0;
    do {
        value /= 1000;
        unit++;
        snprintf(text, TOP_WORD_SIZE, "%.1f%c", value, units[unit]);
        if ((int)strlen(text) > width)
            snprintf(text, TOP_WORD_SIZE, "%.0f%c", value, units[unit]);
    } while ((int)strlen(text) > width && units[unit + 1] != '\0');
}

void top_layout_row(const struct top_layout *layout, const struct top_row *row,
                    char line[TOP_LINE_SIZE])
{
    line[0] = '\0';
    for (int i = 0; i < layout->count; i++) {
        const struct top_cell *cell = &row->cells[layout->columns[i]];
        int width = columns[layout->columns[i]].width;
        char shorter[TOP_WORD_SIZE];
        bool is_long = layout->width > 0 && cell->is_number && (int)strlen(cell->text) > width;
        if (is_long)
            shorten(cell->value, width, shorter);
        append_cell(layout, line, i, is_long ? shorter : cell->text);
    }
}

void top_layout_disk(const struct top_layout *layout, const struct top_disk *disk,
                     char line[TOP_LINE_SIZE])
{
    char text[TOP_LINE_SIZE + TOP_PATH_SIZE];
    const struct top_load *load = &disk->load;
    if (layout->width == 0)
        snprintf(
            text, sizeof(text),
            "VBD BlkBack %" PRIu64 " [%2" PRIx64 ":%2" PRIx64 "]  OO: %8" PRIu64 "   RD: %8" PRIu64
            "   WR: %8" PRIu64 "   RSECT: %10" PRIu64 "   WSECT: %10" PRIu64 "  W_RING: %4" PRIu64
            "  W_TURN: %4" PRIu64 "  W_DISK: %4" PRIu64 "  HIT(%%): %5.1f  %s %s",
            disk->devid, disk->devid >> 8, disk->devid & 0xff, load->out_of_room, load->reads,
            load->writes, load->read_sectors, load->written_sectors, load->on_ring,
            load->wait_for_turn, load->at_disk, 100.0 * disk->hit_ratio, disk->vdev, disk->image);
    else
        snprintf(text, sizeof(text),
                 "%12s  oo %" PRIu64 "  rd %" PRIu64 "  wr %" PRIu64 "  waits %" PRIu64 "/%" PRIu64
                 "/%" PRIu64 "  hits %.1f%%  %s",
                 disk->vdev, load->out_of_room, load->reads, load->writes, load->on_ring,
                 load->wait_for_turn, load->at_disk, 100.0 * disk->hit_ratio, disk->image);
    line[0] = '\0';
    append(layout, line, text);
}

void top_layout_vif(const struct top_layout *layout, const struct top_vif *vif,
                    char line[TOP_LINE_SIZE])
{
    char text[TOP_LINE_SIZE];
    if (layout->width == 0)
        snprintf(
            text, sizeof(text),
            "Net%" PRIu64 " RX: %8" PRIu64 "bytes %8" PRIu64 "pkts %8" PRIu64 "err %8" PRIu64
            "drop  TX: %8" PRIu64 "bytes %8" PRIu64 "pkts %8" PRIu64 "err %8" PRIu64 "drop  %s %s",
            vif->devid, vif->rx_bytes, vif->rx_frames, vif->rx_errors, vif->rx_dropped,
            vif->tx_bytes, vif->tx_frames, vif->tx_errors, vif->tx_dropped, vif->name, vif->mac);
    else
        snprintf(text, sizeof(text),
                 "%12s  sent %" PRIu64 " frames, %" PRIu64 " bytes  got %" PRIu64
                 " frames, %" PRIu64 " bytes  dropped %" PRIu64 "/%" PRIu64 "  %s",
                 vif->name, vif->rx_frames, vif->rx_bytes, vif->tx_frames, vif->tx_bytes,
                 vif->rx_dropped, vif->tx_dropped, vif->mac);
    line[0] = '\0';
    append(layout, line, text);
}
