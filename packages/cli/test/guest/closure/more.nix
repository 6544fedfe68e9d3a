# Another store path with the program of the first, for a unit that runs already.
{ act }:
derivation {
  name = "spectrum-more";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [
    "-euc"
    ''
      mkdir -p $out
      cp ${builtins.storePath act}/bin/act $out/more
    ''
  ];
  PATH = "/usr/bin:/bin";
}
