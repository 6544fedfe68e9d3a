/** Something that the person at the terminal can act on; the message says how. Everything else is a defect. */
export class LabFailure extends Error {}
