#!/usr/bin/env node
import { linuxCommandPowers } from './linux.js'
import { spectrum } from './spectrum.js'

async function main(): Promise<number> {
  try {
    return await spectrum(process.argv.slice(2), await linuxCommandPowers())
  } catch (cause) {
    console.error('spectrum: this is a mistake in spectrum itself:', cause)
    return 125
  }
}

// Standard input may still be open for reading, so the end does not come by itself.
void main().then((status) => process.exit(status))
