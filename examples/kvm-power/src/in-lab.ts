import { converseInLab } from './converse-in-lab.js'

process.stdout.write(await converseInLab())
