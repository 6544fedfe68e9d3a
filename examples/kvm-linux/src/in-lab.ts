import { bootInLab } from './boot-in-lab.js'

process.stdout.write(await bootInLab())
