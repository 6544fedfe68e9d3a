/* What `left` and `right` have in common. */
unsigned long tally_of(const char *text)
{
    unsigned long tally = 5381;
    for (; *text; text++)
        tally = tally * 33 + (unsigned char)*text;
    return tally;
}
