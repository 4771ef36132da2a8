#!/bin/bash

__firn_cursor_index_in_current_word() {
    local remaining="${COMP_LINE}"

    local word
    for word in "${COMP_WORDS[@]::COMP_CWORD}"; do
        remaining="${remaining##*([[:space:]])"${word}"*([[:space:]])}"
    done

    local -ir index="$((COMP_POINT - ${#COMP_LINE} + ${#remaining}))"
    if [[ "${index}" -le 0 ]]; then
        printf 0
    else
        printf %s "${index}"
    fi
}

# positional arguments:
#
# - 1: the current (sub)command's count of positional arguments
#
# required variables:
#
# - repeating_flags: the repeating flags that the current (sub)command can accept
# - non_repeating_flags: the non-repeating flags that the current (sub)command can accept
# - repeating_options: the repeating options that the current (sub)command can accept
# - non_repeating_options: the non-repeating options that the current (sub)command can accept
# - positional_number: value ignored
# - unparsed_words: unparsed words from the current command line
#
# modified variables:
#
# - non_repeating_flags: remove flags for this (sub)command that are already on the command line
# - non_repeating_options: remove options for this (sub)command that are already on the command line
# - positional_number: set to the current positional number
# - unparsed_words: remove all flags, options, and option values for this (sub)command
__firn_offer_flags_options() {
    local -ir positional_count="${1}"
    positional_number=0

    local was_flag_option_terminator_seen=false
    local is_parsing_option_value=false

    local -ar unparsed_word_indices=("${!unparsed_words[@]}")
    local -i word_index
    for word_index in "${unparsed_word_indices[@]}"; do
        if "${is_parsing_option_value}"; then
            # This word is an option value:
            # Reset marker for next word iff not currently the last word
            [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]] && is_parsing_option_value=false
            unset "unparsed_words[${word_index}]"
            # Do not process this word as a flag or an option
            continue
        fi

        local word="${unparsed_words["${word_index}"]}"
        if ! "${was_flag_option_terminator_seen}"; then
            case "${word}" in
            --)
                unset "unparsed_words[${word_index}]"
                # by itself -- is a flag/option terminator, but if it is the last word, it is the start of a completion
                if [[ "${word_index}" -ne "${unparsed_word_indices[${#unparsed_word_indices[@]} - 1]}" ]]; then
                    was_flag_option_terminator_seen=true
                fi
                continue
                ;;
            -*)
                # ${word} is a flag or an option
                # If ${word} is an option, mark that the next word to be parsed is an option value
                local option
                for option in "${repeating_options[@]}" "${non_repeating_options[@]}"; do
                    [[ "${word}" = "${option}" ]] && is_parsing_option_value=true && break
                done

                # Remove ${word} from ${non_repeating_flags} or ${non_repeating_options} so it isn't offered again
                local not_found=true
                local -i index
                for index in "${!non_repeating_flags[@]}"; do
                    if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                        unset "non_repeating_flags[${index}]"
                        non_repeating_flags=("${non_repeating_flags[@]}")
                        not_found=false
                        break
                    fi
                done
                if "${not_found}"; then
                    for index in "${!non_repeating_flags[@]}"; do
                        if [[ "${non_repeating_flags[${index}]}" = "${word}" ]]; then
                            unset "non_repeating_flags[${index}]"
                            non_repeating_flags=("${non_repeating_flags[@]}")
                            break
                        fi
                    done
                fi
                unset "unparsed_words[${word_index}]"
                continue
                ;;
            esac
        fi

        # ${word} is neither a flag, nor an option, nor an option value
        if [[ "${positional_number}" -lt "${positional_count}" || "${positional_count}" -lt 0 ]]; then
            # ${word} is a positional
            ((positional_number++))
            unset "unparsed_words[${word_index}]"
        else
            if [[ -z "${word}" ]]; then
                # Could be completing a flag, option, or subcommand
                positional_number=-1
            else
                # ${word} is a subcommand or invalid, so stop processing this (sub)command
                positional_number=-2
            fi
            break
        fi
    done

    unparsed_words=("${unparsed_words[@]}")

    if\
        ! "${was_flag_option_terminator_seen}"\
        && ! "${is_parsing_option_value}"\
        && [[ ("${cur}" = -* && "${positional_number}" -ge 0) || "${positional_number}" -eq -1 ]]
    then
        COMPREPLY+=($(compgen -W "${repeating_flags[*]} ${non_repeating_flags[*]} ${repeating_options[*]} ${non_repeating_options[*]}" -- "${cur}"))
    fi
}

__firn_add_completions() {
    local completion
    while IFS='' read -r completion; do
        COMPREPLY+=("${completion}")
    done < <(IFS=$'\n' compgen "${@}" -- "${cur}")
}

__firn_custom_complete() {
    if [[ -n "${cur}" || -z ${COMP_WORDS[${COMP_CWORD}]} || "${COMP_LINE:${COMP_POINT}:1}" != ' ' ]]; then
        local -ar words=("${COMP_WORDS[@]}")
    else
        local -ar words=("${COMP_WORDS[@]::${COMP_CWORD}}" '' "${COMP_WORDS[@]:${COMP_CWORD}}")
    fi

    "${COMP_WORDS[0]}" "${@}" "${words[@]}"
}

_firn() {
    local state
    state="$(shopt -p;shopt -po)"
    trap "${state//$'\n'/;}" RETURN
    shopt -s extglob
    set +o history +o posix

    local -xr SAP_SHELL=bash
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(IFS='.';printf %s "${BASH_VERSINFO[*]}")"
    local -r SAP_SHELL_VERSION

    local -r cur="${2}"
    local -r prev="${3}"

    local -i positional_number
    local -a unparsed_words=("${COMP_WORDS[@]:1:${COMP_CWORD}}")

    local -a repeating_flags=()
    local -a non_repeating_flags=(--version -h --help)
    local -a repeating_options=()
    local -a non_repeating_options=()
    __firn_offer_flags_options 0

    # Offer subcommand / subcommand argument completions
    local -r subcommand="${unparsed_words[0]}"
    unset 'unparsed_words[0]'
    unparsed_words=("${unparsed_words[@]}")
    case "${subcommand}" in
    init|mount|unmount|status|commit|abort|import|log|show|diff|ls|cat|du|export|tag|annotate|pin|unpin|restore|forget|gc|verify|help)
        # Offer subcommand argument completions
        "_firn_${subcommand}"
        ;;
    *)
        # Offer subcommand completions
        COMPREPLY+=($(compgen -W 'init mount unmount status commit abort import log show diff ls cat du export tag annotate pin unpin restore forget gc verify help' -- "${cur}"))
        ;;
    esac
}

_firn_init() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=()
    __firn_offer_flags_options 1

    # Offer positional completions
    case "${positional_number}" in
    1)
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_mount() {
    repeating_flags=()
    non_repeating_flags=(--allow-other --foreground -f --debug --supervise --no-supervise --version -h --help)
    repeating_options=(-o)
    non_repeating_options=(--log-file --passthrough)
    __firn_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '-o')
        return
        ;;
    '--log-file')
        __firn_add_completions -f
        return
        ;;
    '--passthrough')
        __firn_add_completions -W 'on'$'\n''off'$'\n''auto'
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __firn_add_completions -d
        return
        ;;
    2)
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_unmount() {
    repeating_flags=()
    non_repeating_flags=(--lazy --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_status() {
    repeating_flags=()
    non_repeating_flags=(--changes -c --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_commit() {
    repeating_flags=()
    non_repeating_flags=(--pin --allow-empty --force --json --version -h --help)
    repeating_options=(--tag -t --param --metric --meta)
    non_repeating_options=(--message -m --metadata --run --author --open-files --store)
    __firn_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--message'|'-m')
        return
        ;;
    '--tag'|'-t')
        return
        ;;
    '--param')
        return
        ;;
    '--metric')
        return
        ;;
    '--meta')
        return
        ;;
    '--metadata')
        __firn_add_completions -o plusdirs -fX '!*.@(json)'
        return
        ;;
    '--run')
        return
        ;;
    '--author')
        return
        ;;
    '--open-files')
        __firn_add_completions -W 'include'$'\n''skip'$'\n''wait'$'\n''fail'
        return
        ;;
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_abort() {
    repeating_flags=()
    non_repeating_flags=(--yes -y --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_import() {
    repeating_flags=()
    non_repeating_flags=(--no-commit --pin --force --json --version -h --help)
    repeating_options=(--tag -t --param --metric --meta)
    non_repeating_options=(--to --message -m --metadata --run --author --open-files --store)
    __firn_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--to')
        return
        ;;
    '--message'|'-m')
        return
        ;;
    '--tag'|'-t')
        return
        ;;
    '--param')
        return
        ;;
    '--metric')
        return
        ;;
    '--meta')
        return
        ;;
    '--metadata')
        __firn_add_completions -o plusdirs -fX '!*.@(json)'
        return
        ;;
    '--run')
        return
        ;;
    '--author')
        return
        ;;
    '--open-files')
        __firn_add_completions -W 'include'$'\n''skip'$'\n''wait'$'\n''fail'
        return
        ;;
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    1)
        __firn_add_completions -f
        return
        ;;
    esac
}

_firn_log() {
    repeating_flags=()
    non_repeating_flags=(--reverse --json --version -h --help)
    repeating_options=()
    non_repeating_options=(-n --count --run --store)
    __firn_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '-n'|'--count')
        return
        ;;
    '--run')
        return
        ;;
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_show() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_diff() {
    repeating_flags=()
    non_repeating_flags=(--name-only --stat --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_ls() {
    repeating_flags=()
    non_repeating_flags=(--long -l -R --recursive --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_cat() {
    repeating_flags=()
    non_repeating_flags=(--version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_du() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_export() {
    repeating_flags=()
    non_repeating_flags=(--force --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 2

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac

    # Offer positional completions
    case "${positional_number}" in
    2)
        __firn_add_completions -f
        return
        ;;
    esac
}

_firn_tag() {
    repeating_flags=()
    non_repeating_flags=(-d --delete --force -f --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_annotate() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--author --store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--author')
        return
        ;;
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_pin() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_unpin() {
    repeating_flags=()
    non_repeating_flags=(--json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_restore() {
    repeating_flags=()
    non_repeating_flags=(--force --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_forget() {
    repeating_flags=()
    non_repeating_flags=(-n --dry-run --prune --json --version -h --help)
    repeating_options=(--keep-tag --forget-tag)
    non_repeating_options=(--keep-last --keep-hourly --keep-daily --keep-weekly --keep-monthly --keep-yearly --keep-within --store)
    __firn_offer_flags_options -1

    # Offer option value completions
    case "${prev}" in
    '--keep-last')
        return
        ;;
    '--keep-hourly')
        return
        ;;
    '--keep-daily')
        return
        ;;
    '--keep-weekly')
        return
        ;;
    '--keep-monthly')
        return
        ;;
    '--keep-yearly')
        return
        ;;
    '--keep-within')
        return
        ;;
    '--keep-tag')
        return
        ;;
    '--forget-tag')
        return
        ;;
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_gc() {
    repeating_flags=()
    non_repeating_flags=(-n --dry-run --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_verify() {
    repeating_flags=()
    non_repeating_flags=(--quick --json --version -h --help)
    repeating_options=()
    non_repeating_options=(--store)
    __firn_offer_flags_options 0

    # Offer option value completions
    case "${prev}" in
    '--store')
        __firn_add_completions -d
        return
        ;;
    esac
}

_firn_help() {
    repeating_flags=()
    non_repeating_flags=(--version)
    repeating_options=()
    non_repeating_options=()
    __firn_offer_flags_options -1
}

complete -o filenames -F _firn firn
