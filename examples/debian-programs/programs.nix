# A tree of Debian's programs and libraries as a store path whose programs run wherever it is: each names the loader and
# the libraries that came along, as programs of nixpkgs do.
{
  name,
  tree,
  programs,
}:
derivation {
  inherit name programs;
  system = builtins.currentSystem;
  builder = "/bin/sh";
  PATH = "/usr/local/bin:/usr/bin:/bin";
  tree = builtins.path {
    inherit name;
    path = /. + tree;
  };
  args = [
    "-euc"
    ''
      cp -R "$tree" "$out"
      chmod -R u+w "$out"
      # A library with a search path of its own would be asked, and the program that loads it would not.
      for library in "$out"/lib/*.so*; do
        if [ -n "$(patchelf --print-rpath "$library" 2>/dev/null)" ]; then patchelf --remove-rpath "$library"; fi
      done
      for program in $programs; do
        file=$out/bin/$program
        loader=$out/lib/$(basename "$(patchelf --print-interpreter "$file")")
        # The old kind of search path, which what the libraries load follows as well.
        patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$out/lib" "$file"
        if "$loader" --list "$file" | grep '=>' | grep -v -F "=> $out/lib/"; then
          echo "$program would look for these outside $out" >&2
          exit 1
        fi
      done
    ''
  ];
}
