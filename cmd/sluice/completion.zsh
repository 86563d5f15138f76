#compdef sluice
# zsh completion for sluice
_sluice() {
	local line
	local -a found flags
	for line in "${(@f)$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		[[ -n $line ]] || continue
		local word=${line%%$'\t'*} help=${line#*$'\t'}
		word=${word//:/\\:}
		if [[ $word == -* ]]; then
			flags+=("$word${help:+:$help}")
		else
			found+=("$word${help:+:$help}")
		fi
	done
	if (( ${#flags} )); then
		_describe -o 'flag' flags
	elif (( ${#found} )); then
		_describe 'sluice' found
	else
		_files
	fi
}
if [[ ${funcstack[1]} == _sluice ]]; then
	_sluice "$@"
else
	compdef _sluice sluice
fi
