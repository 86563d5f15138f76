# fish completion for sluice
function __sluice_candidates
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    $program complete $words "$(commandline -ct)" 2>/dev/null
end
# Where sluice knows no candidate, names of files are completed.
complete -c sluice -n 'count (__sluice_candidates) >/dev/null' -f -a '(__sluice_candidates)'
