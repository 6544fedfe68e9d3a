import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NIX_CONFIG = [
  'experimental-features = nix-command ca-derivations',
  'build-users-group =',
  'sandbox = false',
  'substituters =',
].join('\n')

/** Small programs in every relation that store paths can have. */
const EXPRESSION = `
let
  build = attributes: derivation ({
    system = builtins.currentSystem;
    builder = "/bin/bash";
  } // attributes);
  # The shell stays to the end: Nix kills a builder that closes its output first, as coreutils do.
  script = text: [ "-c" ("set -e; PATH=/bin:/usr/bin; " + text + "; :") ];
in rec {
  leaf = build { name = "leaf"; args = script "echo leaf > $out"; };
  self = build {
    name = "self";
    args = script "mkdir -p $out/bin; echo \${leaf} > $out/leaf; echo $out $out > $out/bin/self; chmod +x $out/bin/self; ln -s $out/bin $out/link";
  };
  several = build { name = "several"; outputs = [ "out" "debug" ]; args = script "echo \${self} > $out; echo debug > $debug"; };
  graph = build { name = "graph"; exportReferencesGraph = [ "graph" several ]; args = script "cp graph $out"; };
  structured = build {
    name = "structured";
    __structuredAttrs = true;
    exportReferencesGraph.closure = [ several ];
    args = script ". ./.attrs.sh; cp .attrs.json \\\${outputs[out]}";
  };
}
`

/** A Nix store below a temporary directory, in which Nix has really built. */
export class BuiltStore implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'built-store-'))

  /** Runs a command of Nix on this store. */
  run(file: string, ...argv: readonly string[]): string {
    return this.runBytes(file, argv).toString('utf8').trim()
  }

  runBytes(file: string, argv: readonly string[], input?: string | Uint8Array): Buffer {
    const own = argv.includes('--store') ? [] : ['--store', this.root]
    return execFileSync(file, [...argv, ...own], {
      env: { ...process.env, NIX_CONFIG, XDG_CACHE_HOME: join(this.root, 'cache') },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input === undefined ? {} : { input }),
      maxBuffer: 1 << 28,
      timeout: 100_000,
      killSignal: 'SIGKILL',
    })
  }

  /** Builds attributes of the expression; a mount of its own puts this store where builders look for it. */
  build(...attributes: readonly string[]): string[] {
    mkdirSync(join(this.root, 'nix'), { recursive: true })
    mkdirSync(join(this.root, 'home'), { recursive: true })
    const file = join(this.root, 'expression.nix')
    writeFileSync(file, EXPRESSION)
    // On a machine where Nix has made nothing yet there is no such directory; Nix makes it just so.
    const command = [
      'mkdir -p /nix',
      'mount --bind "$1/nix" /nix',
      'shift',
      'exec nix-build --no-out-link "$@"',
    ].join(' && ')
    const output = execFileSync(
      'unshare',
      ['-m', 'sh', '-c', command, 'sh', this.root, file, ...attributes.flatMap((name) => ['-A', name])],
      {
        env: { PATH: process.env['PATH'], HOME: join(this.root, 'home'), NIX_CONFIG },
        stdio: ['ignore', 'pipe', 'pipe'],
        encoding: 'utf8',
        timeout: 110_000,
        killSignal: 'SIGKILL',
      },
    )
    return output.trim().split('\n')
  }

  locate(path: string): string {
    return join(this.root, path)
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
