import { debianPrograms, type Programs } from '../../debian-programs/src/debian-programs.js'
import { FONTS, fontEnvironment } from '../../debian-programs/src/fonts.js'

const HERE = '/usr/lib/chromium'
/** The cryptography that a browser opens by name while it runs. */
const NSS = ['libsoftokn3.so', 'libfreebl3.so', 'libfreeblpriv3.so']
const TRIPLETS = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as Record<string, string>

/** Debian's Chromium as one store path, with its libraries and fonts: about 400 MiB. */
export async function debianChromium(): Promise<Programs> {
  return debianPrograms('chromium', [`${HERE}/chromium`, `${HERE}/chrome_crashpad_handler`], {
    libraries: NSS.map((name) => `/usr/lib/${TRIPLETS[process.arch]}/${name}`),
    data: [
      // It looks for what it reads beside itself. Left out: other languages, and what draws by a graphics processor.
      { from: HERE, to: 'bin', except: /locales\/(?!en-US\.pak)|\.TOC$|[Vv]k|vulkan/ },
      ...FONTS,
    ],
  })
}

/**
 * The argument vector that draws a page into a PNG file.
 *
 * What keeps the page from everything else is the machine, which has this one page and nothing to take. Chromium's own
 * sandbox would keep it from other pages and from the user's files, of which there are none.
 */
export const drawing = (chromium: Programs, page: string, picture: string) =>
  chromium.argv(
    'chromium',
    '--headless',
    '--no-sandbox',
    '--no-zygote',
    '--disable-gpu',
    '--disable-software-rasterizer',
    '--disable-breakpad',
    '--disable-extensions',
    '--disable-component-update',
    '--disable-background-networking',
    '--no-first-run',
    '--hide-scrollbars',
    '--window-size=640,400',
    '--user-data-dir=/tmp/profile',
    `--screenshot=${picture}`,
    `file://${page}`,
  )

/** What it finds its fonts by, and where it may write. */
export const surroundings = (chromium: Programs) => ({ ...fontEnvironment(chromium), HOME: '/tmp' })
