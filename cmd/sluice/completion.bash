# bash completion for sluice
_sluice() {
	local word help current=${COMP_WORDS[COMP_CWORD]}
	[[ $current == = ]] && COMP_WORDS[COMP_CWORD]=
	COMPREPLY=()
	while IFS=$'\t' read -r word help; do
		COMPREPLY+=("$word")
	done < <("$1" complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o bashdefault -o default -F _sluice sluice
