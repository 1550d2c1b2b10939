# SPDX-License-Identifier: MIT
# Runs the program without stopping: each stage prints its line and goes on. docs/follow-a-read.md
set $through = 1
run
