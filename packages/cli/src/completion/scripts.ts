export const shells = ['bash', 'zsh', 'fish'] as const
/**
 * The shells that can complete the command's words.
 *
 * @useDeclaredType
 */
export type Shell = (typeof shells)[number]

/**
 * What a shell is to load. All of them ask `spectrum complete -- WORDS`, which answers with one candidate a line, a tab
 * and what it means after some, and the line `:files` where the name of a file may stand.
 */
export function completionScript(shell: Shell): string {
  return scripts[shell]
}

const scripts: Readonly<Record<Shell, string>> = {
  bash: `# Completion of the spectrum command for bash: eval "$(spectrum completion bash)"
_spectrum() {
  local current=\${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    elif [[ -n $line ]]; then
      COMPREPLY+=("\${line%%$'\\t'*}")
    fi
  done < <(spectrum complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _spectrum spectrum
`,
  zsh: `#compdef spectrum
# Completion of the spectrum command for zsh: eval "$(spectrum completion zsh)", after compinit
_spectrum() {
  local -a described
  local line files=
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      files=yes
    elif [[ -n $line ]]; then
      described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done < <(spectrum complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#described )) && _describe 'spectrum' described
  [[ -n $files ]] && _files
}
# Read as a file of $fpath, it is the function itself for the first time.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _spectrum "$@"
else
  compdef _spectrum spectrum
fi
`,
  fish: `# Completion of the spectrum command for fish: spectrum completion fish | source
function __spectrum_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (spectrum complete -- $words[2..] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c spectrum -f -a '(__spectrum_complete)'
`,
}
