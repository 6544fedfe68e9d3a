import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './real-store.js'

/** Binaries from the machine's own search path, so that a build needs nothing but Nix. */
const PRELUDE = `
  derive = name: script: inputs: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-euc" script ];
    PATH = "/usr/local/bin:/usr/bin:/bin";
  } // inputs);
`

function build(directory: string, name: string, expression: string): string {
  const file = join(directory, `${name}.nix`)
  writeFileSync(file, expression)
  return run('nix-build', file, '--no-out-link')
}

/**
 * Builds a closure of exactly `count` store paths with Nix, each by a derivation of its own: a root that
 * references all others, and others that reference some before them. The same paths on every run.
 */
export function buildClosure(directory: string, count: number): string {
  return build(
    directory,
    `closure-${count}`,
    `let ${PRELUDE}
  at = builtins.elemAt others;
  others = builtins.genList (n: derive "member-\${toString n}" ''
    mkdir -p $out/lib $out/share/doc
    for to in $references; do echo "$to" >> $out/lib/references; done
    i=0; while [ $i -lt $files ]; do echo "$index.$i" > $out/share/doc/file-$i; i=$((i + 1)); done
    head -c $size /dev/zero | tr '\\\\0' "$letter" > $out/lib/library.so
    ln -s ../lib/library.so $out/share/library
  '' {
    index = toString n;
    letter = builtins.substring (n - n / 26 * 26) 1 "abcdefghijklmnopqrstuvwxyz";
    files = toString (n - n / 5 * 5);
    size = toString (n * 997 + 1);
    references = (if n == 0 then [ ] else [ (at ((n - 1) / 2)) ]) ++ (if n < 7 then [ ] else [ (at (n - 7)) ]);
  }) ${count - 1};
in derive "root-of-${count}" ''
  mkdir $out
  for to in $all; do echo "$to"; done > $out/references
'' { all = others; }
`,
  )
}

/**
 * Builds one store path of what is hard to lay out; see the script. Its name is as long as one that is built can
 * be: its derivation's has four characters more.
 */
export function buildHardToLayOut(directory: string): string {
  return build(
    directory,
    'hard',
    `let ${PRELUDE}
in derive "${'hard-to-lay-out-'.padEnd(207, 'x')}" ''
  mkdir -p $out/links $out/empty/empty $out/${'d'.repeat(255)}
  : > $out/empty-file
  truncate -s 4G $out/sparse
  echo end >> $out/sparse
  # ext4 allows 65,000 names for one file, so these are two files.
  perl -e '
    for $set (0, 1) {
      open F, ">", "$ENV{out}/links/$set-0" or die; print F "linked $set\\n"; close F;
      for (1 .. 32767) { link "$ENV{out}/links/$set-0", "$ENV{out}/links/$set-$_" or die $! }
    }'
  echo long > $out/${'d'.repeat(255)}/${'f'.repeat(255)}
'' { }
`,
  )
}
