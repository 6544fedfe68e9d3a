import type { Topic } from './arguments.js'

const aboutFiles = `A file with a graph is JSON, as printGraph writes it, or a module that exports a graph by default; a module is
run, with the rights of whoever asks.`

export const usage: Readonly<Record<Topic, string>> = {
  spectrum: `Usage: spectrum COMMAND

Programs in virtual machines of their own, each booted from exactly the Nix closure it was granted.

Commands:
  doctor     what this machine can do, and the remedy for what it cannot
  run        start one unit, run one command in it, remove the unit

Commands that answer questions about a graph of units, in a file, and start nothing:
  graph      who may call what, as a table, a drawing, JSON or the configuration of a Genode system
  explain    how one unit can reach another
  who-can    who may call a service
  authority  all that a unit may do, and who may call it
  diff       what changes in who may do what, from one graph to another

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
  graph: `Usage: spectrum graph FILE [--as FORM]

Prints who may call what in the graph of FILE.
${aboutFiles}

FORM:
  table        one line for each call (the default)
  mermaid      a flowchart for Mermaid
  json         the graph itself, as data
  genode-xml   the configuration of a Genode init, in XML
  genode-hid   the same in Genode's HID

Exit status: 0; 2 when FILE holds no graph.
`,
  explain: `Usage: spectrum explain FILE FROM TO [--json]

Says how the unit FROM can reach the unit TO (or host:NAME), and under which conditions: directly, or by a chain of
units that could pass on what they are asked.
${aboutFiles}

Options:
  --json       one JSON object instead of text
  -h, --help   this text

Exit status: 0 when it can; 1 when nothing leads there; 2 when FILE holds no graph, or no such unit.
`,
  'who-can': `Usage: spectrum who-can FILE SERVICE [--json]

Says who may call the service, whoever provides it.
${aboutFiles}

Options:
  --json       one JSON object instead of text
  -h, --help   this text

Exit status: 0 when somebody may; 1 when nobody may; 2 when FILE holds no graph.
`,
  authority: `Usage: spectrum authority FILE UNIT [--json]

Says all that a unit may do: its store, what it may call, what it can reach through others, and who may call it.
${aboutFiles}

Options:
  --json       one JSON object instead of text
  -h, --help   this text

Exit status: 0; 2 when FILE holds no graph, or no such unit.
`,
  diff: `Usage: spectrum diff BEFORE AFTER [--json]

Says what changes in who may do what: + gives more authority, - takes some away, ~ cannot be compared.
${aboutFiles}

Options:
  --json       one JSON object instead of text
  -h, --help   this text

Exit status: 0 when nothing changes; 1 when something does; 2 when a file holds no graph.
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
