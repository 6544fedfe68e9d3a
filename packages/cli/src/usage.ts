import type { Topic } from './arguments.js'

const aboutFiles = `A file with a graph is JSON, as printGraph writes it, or a JavaScript or TypeScript module that exports a graph by
default; a module is run, with the rights of whoever asks.`

const whichHost = '  --host HOST       by its name, process or directory, where several run'

export const usage: Readonly<Record<Topic, string>> = {
  spectrum: `Usage: spectrum COMMAND

Programs in virtual machines of their own, each booted from exactly the Nix closure it was granted.

Commands:
  doctor     what this machine can do, and the remedy for what it cannot
  fetch-kernel
             fetch the kernel that units boot
  run        start one unit, run one command in it, remove the unit
  up         start the units of a graph, and stay with them until they end
  gc         remove cached files that no unit uses

Commands for hosts that run:
  ps         the units there are
  exec       run a command in a unit
  inject     add software to a unit while it runs
  logs       what units have said
  stop       stop a unit, or a host with all its units

Commands that answer questions about a graph of units, in a file, and start nothing:
  graph      who may call what, as a table, a drawing, JSON or the configuration of a Genode system
  explain    how one unit can reach another
  who-can    who may call a service
  authority  all that a unit may do, and who may call it
  diff       what changes in who may do what, from one graph to another

Completion:
  completion what bash, zsh or fish load to complete these words

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
  'fetch-kernel': `Usage: spectrum fetch-kernel

Fetches Debian's cloud kernel, which units boot, from apt's sources into the cache, where there is none yet. It is
unpacked there and not installed: this machine boots what it booted before. About 30 MB are downloaded, and 110 MB kept.

Options:
  -h, --help   this text

Exit status: 0 there is a kernel now; 1 it could not be fetched; 128+n when signal n stopped it.
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
  up: `Usage: spectrum up FILE [OPTIONS]

Starts the units of the graph in FILE and stays with them: until all have ended, until "spectrum stop", or until
Ctrl-C, which stops them in order (a second one ends them at once). Run it by a service manager to have it in the
background. What is wired to functions of the host program is looked for in what the module exports as "services".
Questions of "ask" are asked on the terminal, if it was started from one; without one they are denied.
${aboutFiles}

Options:
  --arch ARCH       what the units' programs are compiled for: x86_64, aarch64 or ppc64le; this machine's own by
                    default, another by software emulation
  --grace SECONDS   for each unit to end in order before it is ended; 10 by default
  --json            one JSON object a line
  -h, --help        this text

Exit status: 0 stopped, or all units ended in order; 1 all have ended, one of them failed; 2 FILE holds no graph;
125 it could not be started; 128+n when signal n stopped it.
`,
  ps: `Usage: spectrum ps [OPTIONS]

Lists the units of all hosts of this user that run, also some that have ended.

Options:
${whichHost}
  --json            one JSON object instead of the table
  -h, --help        this text

Exit status: 0; 1 when the host that is named cannot be reached.
`,
  exec: `Usage: spectrum exec [OPTIONS] UNIT -- PROGRAM [ARGUMENT]...

Runs PROGRAM in a unit of a host that runs. PROGRAM is an absolute path in the unit; no shell is involved. Its output
is passed on byte by byte; what would command a terminal is spelled out there, unless -t or --raw is given.
Ctrl-C is sent to the program; a second one ends it. It ends with this command, whatever ends that.

Options:
  -i, --interactive pass standard input to the program
  -t, --tty         give the program a terminal; with -i, this one's keys go there as they are
  --env NAME=VALUE  one variable of the program's environment, empty otherwise; may be repeated
  --cwd PATH        where it starts; / by default
  --timeout SECONDS end the program after this long
  --raw             let the program command the terminal that shows its output
${whichHost}
  -h, --help        this text

Exit status: the program's own; 128+n when signal n ended it; 124 timed out; 125 no such unit or host, or it was
lost; 126 the program cannot be executed; 127 there is no such program in the unit.
`,
  inject: `Usage: spectrum inject UNIT PATH... [OPTIONS]

Adds store paths, and everything they reference, to a unit while it runs.

Options:
  --timeout SECONDS give up after this long
  --json            one JSON object instead of text
${whichHost}
  -h, --help        this text

Exit status: 0; 1 when it was not done, and the unit sees what it saw before.
`,
  logs: `Usage: spectrum logs [UNIT] [OPTIONS]

Prints what a unit, or all of them, and their monitors have said.

Options:
  -f, --follow      go on until the unit has ended
  -n, --lines N     the newest N lines; 100 by default
  --json            one JSON object a line
${whichHost}
  -h, --help        this text

Exit status: 0; 1 when there is no such unit or host, or the host was lost.
`,
  stop: `Usage: spectrum stop [UNIT] [OPTIONS]

Stops a unit, or the host with all its units. Ctrl-C ends the grace.

Options:
  --grace SECONDS   to end in order before it is ended; 10 by default, 0: at once
  --json            one JSON object instead of text
${whichHost}
  -h, --help        this text

Exit status: 0; 1 when there is no such unit or host, or something could not be ended.
`,
  gc: `Usage: spectrum gc [OPTIONS]

Removes files of the cache that no unit uses, and says how many bytes that gives back. Safe at any time.

Options:
  --dry-run         only say what would go
  --json            one JSON object instead of text
  -h, --help        this text

Exit status: 0; 1 when it could not be done.
`,
  completion: `Usage: spectrum completion bash|zsh|fish

Prints what the shell loads to complete commands, options, files and the names of units that run:
  bash: eval "$(spectrum completion bash)"
  zsh:  eval "$(spectrum completion zsh)", after compinit
  fish: spectrum completion fish | source

Options:
  -h, --help        this text
`,
  run: `Usage: spectrum run --closure PATH [OPTIONS] -- PROGRAM [ARGUMENT]...

Starts a unit that sees the closure of PATH and nothing else, runs PROGRAM in it and removes the unit.
PROGRAM is an absolute path in the unit; no shell is involved. Its output is passed on byte by byte; what
would command a terminal is spelled out there.

Options:
  --closure PATH    a store path, granted with everything it references; may be repeated
  --env NAME=VALUE  one variable of the program's environment, empty otherwise; may be repeated
  --memory MIB      memory of the unit
  --arch ARCH       what its programs are compiled for: x86_64, aarch64 or ppc64le; this machine's own by default,
                    another by software emulation
  --timeout SECONDS end the program after this long
  -i, --interactive pass standard input to the program
  --raw             let the program command the terminal that shows its output
  -h, --help        this text

Exit status: the program's own; 128+n when signal n ended it; 124 timed out; 125 the unit could not be
started or was lost; 126 the program cannot be executed; 127 there is no such program in the unit.
`,
}
