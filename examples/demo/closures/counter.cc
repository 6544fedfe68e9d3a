// `counter WORD…` greets once; `counter --forever` counts until it is killed, for a debugger to look at.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <set>
#include <string>
#include <unistd.h>

extern "C" unsigned long tally_of(const char *text);
extern "C" {
volatile unsigned long demo_counter = 0;
}

static std::set<std::string> mapped_store_paths()
{
    std::set<std::string> paths;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        const auto at = line.find("/nix/store/");
        if (at != std::string::npos)
            paths.insert(line.substr(at, line.find('/', at + 11) - at));
    }
    return paths;
}

int main(int argc, char **argv)
{
    if (argc == 2 && std::strcmp(argv[1], "--forever") == 0) {
        std::cout << "counting as process " << getpid() << std::endl;
        for (;;) {
            demo_counter = demo_counter + 1;
            usleep(2000);
        }
    }
    for (int i = 1; i < argc; i++)
        std::cout << "left says " << argv[i] << " (" << tally_of(argv[i]) << ")\n";
    for (const auto &path : mapped_store_paths())
        std::cout << "runs from " << path << "\n";
    std::cerr << "left has nothing to complain about\n";
    return 0;
}
