package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// completeWord is the hidden first argument with which the shells ask what
// may come next.
const completeWord = "__complete"

func completionCommand(e *env) *cli.Command {
	return &cli.Command{
		Name: "completion", Category: "more", Usage: "completion script for bash, zsh or fish",
		UsageText: "pushctl completion bash|zsh|fish",
		Description: `Completes commands, flags, their values, and what the keepers in reach know: knobs, nodes, scopes, rollouts.

  bash   source <(pushctl completion bash)
  zsh    pushctl completion zsh > "${fpath[1]}/_pushctl"
  fish   pushctl completion fish > ~/.config/fish/completions/pushctl.fish`,
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 1, 1); err != nil {
				return err
			}
			script, ok := completionScripts()[c.Args().First()]
			if !ok {
				return usagef("no completion for %q: bash, zsh or fish", c.Args().First())
			}
			_, err := fmt.Fprint(e.out, strings.ReplaceAll(script, "COMPLETE", completeWord))
			return err
		},
	}
}

// completionScripts ask pushctl itself, so that a script does not age.
func completionScripts() map[string]string {
	return map[string]string{
		"bash": `# bash completion for pushctl
_pushctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} IFS=$'\n'
    [[ $cur == "=" ]] && cur=
    COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" COMPLETE "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1)" -- "$cur"))
}
complete -o default -F _pushctl pushctl
`,
		"zsh": `#compdef pushctl
# zsh completion for pushctl
_pushctl() {
    local -a found
    local line
    while IFS= read -r line; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done < <("${words[1]}" COMPLETE "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ${#found} )) && _describe pushctl found || _files
}
if [ "$funcstack[1]" = _pushctl ]; then _pushctl "$@"; else compdef _pushctl pushctl; fi
`,
		"fish": `# fish completion for pushctl
function __pushctl_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] COMPLETE $words[2..-1] 2>/dev/null
end
complete -c pushctl -a '(__pushctl_complete)'
`,
	}
}
