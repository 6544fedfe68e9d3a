# One store path without references: a static program.
derivation {
  name = "spectrum-act";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [
    "-euc"
    ''
      mkdir -p $out/bin
      cc -O2 -s -static -o $out/bin/act $source
    ''
  ];
  PATH = "/usr/local/bin:/usr/bin:/bin";
  source = builtins.path {
    path = ./act.c;
    name = "act.c";
  };
}
