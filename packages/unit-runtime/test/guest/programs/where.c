/* Says what it runs on, and what it sees of the store: `where WORD` prints the machine, the word and the names, sorted. */
#include <dirent.h>
#include <stdio.h>
#include <sys/utsname.h>

int main(int argc, char **argv) {
  struct utsname self;
  struct dirent **names;
  const int count = scandir("/nix/store", &names, NULL, alphasort);
  if (argc != 2 || uname(&self) < 0 || count < 0) return 1;
  printf("%s %s\n", self.machine, argv[1]);
  for (int i = 0; i < count; i++)
    if (names[i]->d_name[0] != '.') puts(names[i]->d_name);
  return 7;
}
