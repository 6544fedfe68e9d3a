// `colours WORD…` names a colour for each word and ends with the number of words as its status.
#include <iostream>

extern "C" unsigned long tally_of(const char *text);
extern "C" const char *colour_of(unsigned long tally);

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        std::cout << "right sees " << argv[i] << " in " << colour_of(tally_of(argv[i])) << "\n";
    std::cerr << "right leaves with status " << argc - 1 << "\n";
    return argc - 1;
}
