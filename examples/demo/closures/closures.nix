# Three closures that overlap but differ, built from nothing but the host's C and C++ compilers.
#
#   left      counter ─► libstdcxx ─► libc
#                    └─► libtally ──► libc
#   right     colours ─► libstdcxx, libtally, libcolour, libc
#   debugger  peek ────► libtrace ───► libc
#
# Every library is a store path of its own, so `left` and `right` share most of theirs and each has
# something that the other must not see. Programs carry RPATH (not RUNPATH) because libstdc++ itself has
# none and finds libc through the program that loads it.
let
  derive =
    name: script: inputs:
    derivation (
      {
        inherit name;
        system = builtins.currentSystem;
        builder = "/bin/sh";
        args = [
          "-euc"
          script
        ];
        PATH = "/usr/local/bin:/usr/bin:/bin";
      }
      // inputs
    );

  source = name: builtins.path {
    path = ./. + "/${name}";
    inherit name;
  };

  # The C runtime of the machine that builds: the loader and libc as an ordinary store path.
  libc = derive "demo-libc" ''
    mkdir -p $out/lib
    for name in libc.so.6 libm.so.6; do
      cp -L "$(cc -print-file-name=$name)" $out/lib/$name
    done
    loader=$(cc -dumpmachine | grep -q aarch64 && echo ld-linux-aarch64.so.1 || echo ld-linux-x86-64.so.2)
    cp -L "$(cc -print-file-name=$loader)" $out/lib/ld.so
    ln -s ld.so $out/lib/$loader
  '' { };

  libstdcxx = derive "demo-libstdcxx" ''
    mkdir -p $out/lib $out/share
    for name in libstdc++.so.6 libgcc_s.so.1; do
      cp -L "$(c++ -print-file-name=$name)" $out/lib/$name
    done
    echo "$libc" > $out/share/propagated
  '' { inherit libc; };

  library =
    name: file:
    derive "demo-${name}" ''
      mkdir -p $out/lib
      cc -O2 -s -shared -fPIC -Wl,-soname,${name}.so -Wl,--disable-new-dtags,-rpath,$libc/lib \
        -o $out/lib/${name}.so $source
    '' {
      inherit libc;
      source = source file;
    };

  libtally = library "libtally" "tally.c";
  libcolour = library "libcolour" "colour.c";
  libtrace = library "libtrace" "trace.c";

  link = ''-Wl,--dynamic-linker,$libc/lib/ld.so -Wl,--disable-new-dtags,-rpath,$libc/lib'';

  counter = derive "demo-counter" ''
    mkdir -p $out/bin $out/share/doc/counter
    c++ -O2 -s ${link}:$libstdcxx/lib:$libtally/lib -rdynamic -o $out/bin/counter $source $libtally/lib/libtally.so
    echo 'Counts until it is told to stop.' > $out/share/doc/counter/README
    ln -s ../../../bin/counter $out/share/doc/counter/program
  '' {
    inherit libc libstdcxx libtally;
    source = source "counter.cc";
  };

  colours = derive "demo-colours" ''
    mkdir -p $out/bin
    c++ -O2 -s ${link}:$libstdcxx/lib:$libtally/lib:$libcolour/lib -o $out/bin/colours $source \
      $libtally/lib/libtally.so $libcolour/lib/libcolour.so
  '' {
    inherit
      libc
      libstdcxx
      libtally
      libcolour
      ;
    source = source "colours.cc";
  };

  peek = derive "demo-peek" ''
    mkdir -p $out/bin
    cc -O2 -s ${link}:$libtrace/lib -o $out/bin/peek $source $libtrace/lib/libtrace.so
  '' {
    inherit libc libtrace;
    source = source "peek.c";
  };
in
{
  left = counter;
  right = colours;
  debugger = peek;
}
