import type { Topic } from './arguments.js'

export const usage: Readonly<Record<Topic, string>> = {
  spectrum: `Usage: spectrum COMMAND

Programs in virtual machines of their own, each booted from exactly the Nix closure it was granted.

Commands:
  doctor   what this machine can do, and the remedy for what it cannot
  run      start one unit, run one command in it, remove the unit

Options:
  -h, --help   this text; after a command, that command's
  --version    the version
`,
  doctor: `Usage: spectrum doctor [--json]

Tries out what units need and prints a table: what was found, whether it will do, and what to do if it
will not. Exit status 0 when units can run, 1 when they cannot.

Options:
  --json       one JSON object instead of the table
  -h, --help   this text
`,
  run: `Usage: spectrum run --closure PATH [OPTIONS] -- PROGRAM [ARGUMENT]...

Starts a unit that sees the closure of PATH and nothing else, runs PROGRAM in it and removes the unit.
PROGRAM is an absolute path in the unit; no shell is involved. Its output is passed on byte by byte; what
would command a terminal is spelled out there.

Options:
  --closure PATH    a store path, granted with everything it references; may be repeated
  --env NAME=VALUE  one variable of the program's environment, empty otherwise; may be repeated
  --memory MIB      memory of the unit
  --timeout SECONDS end the program after this long
  -i, --interactive pass standard input to the program
  --raw             let the program command the terminal that shows its output
  -h, --help        this text

Exit status: the program's own; 128+n when signal n ended it; 124 timed out; 125 the unit could not be
started or was lost; 126 the program cannot be executed; 127 there is no such program in the unit.
`,
}
