# A program and, in an output of its own, its debug information: as `separateDebugInfo` makes them in nixpkgs.
let
  hanoi = derivation {
    name = "hanoi";
    outputs = [
      "out"
      "debug"
    ];
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/local/bin:/usr/bin:/bin";
    source = builtins.path {
      path = ./hanoi.c;
      name = "hanoi.c";
    };
    args = [
      "-euc"
      ''
        cp "$source" hanoi.c
        cc -Wall -Wextra -Werror -g -O0 -static -Wl,--build-id -fdebug-prefix-map="$PWD"=. -o hanoi hanoi.c
        id=$(readelf -n hanoi | sed -n 's/.*Build ID: //p')
        first=$(echo "$id" | cut -c1-2)
        rest=$(echo "$id" | cut -c3-)
        mkdir -p "$out/bin" "$debug/lib/debug/.build-id/$first"
        objcopy --only-keep-debug hanoi "$debug/lib/debug/.build-id/$first/$rest.debug"
        objcopy --strip-all hanoi "$out/bin/hanoi"
      ''
    ];
  };
in
{
  inherit (hanoi) out debug;
}
