import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { debianPrograms, type Programs } from '../../debian-programs/src/debian-programs.js'
import { nixBuild } from '../../debian-programs/src/local-store.js'

const hanoi = fileURLToPath(new URL('../program/hanoi.nix', import.meta.url))

/**
 * `hanoi` without any symbols: the store path of the program. Its debug information is another store path, which is in
 * the store from now on and which nobody is told of.
 */
export async function buildHanoi(): Promise<string> {
  const [out] = await nixBuild(hanoi, { attributes: ['out', 'debug'] })
  return out!
}

/** Debian's gdb, with the Python that it does not start without. */
export async function debianGdb(): Promise<Programs> {
  const pythons = (await readdir('/usr/lib')).filter((name) => /^python3\.\d+$/.test(name))
  return debianPrograms('gdb', ['/usr/bin/gdb'], {
    data: [
      { from: '/usr/share/gdb', to: 'share/gdb', except: /__pycache__|auto-load/ },
      // Compiled modules are of another time than any file of the store, and `config-…` is for compiling C.
      ...pythons.map((name) => ({
        from: `/usr/lib/${name}`,
        to: `lib/${name}`,
        except: /__pycache__|\/config-|\/lib-dynload/,
      })),
    ],
  })
}
