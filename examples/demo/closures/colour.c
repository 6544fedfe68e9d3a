/* What only `right` has. */
const char *colour_of(unsigned long tally)
{
    static const char *const names[] = {"red", "orange", "yellow", "green", "blue", "purple", "grey", "black"};
    return names[tally % 8];
}
