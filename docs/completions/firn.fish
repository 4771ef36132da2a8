function __firn_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __firn_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __firn_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __firn_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __firn_parse_tokens -S
    set -l unparsed_tokens (__firn_tokens -pc)
    switch $unparsed_tokens[1]
    case 'firn'
        __firn_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'init'
            __firn_parse_subcommand 1 'json' 'version' 'h/help'
        case 'mount'
            __firn_parse_subcommand 2 'allow-other' 'f/foreground' 'o=+' 'log-file=' 'debug' 'supervise' 'no-supervise' 'passthrough=' 'version' 'h/help'
        case 'unmount'
            __firn_parse_subcommand 1 'lazy' 'store=' 'json' 'version' 'h/help'
        case 'status'
            __firn_parse_subcommand 0 'c/changes' 'store=' 'json' 'version' 'h/help'
        case 'commit'
            __firn_parse_subcommand 0 'm/message=' 't/tag=+' 'param=+' 'metric=+' 'meta=+' 'metadata=' 'run=' 'author=' 'open-files=' 'pin' 'allow-empty' 'force' 'store=' 'json' 'version' 'h/help'
        case 'abort'
            __firn_parse_subcommand 0 'y/yes' 'store=' 'json' 'version' 'h/help'
        case 'import'
            __firn_parse_subcommand 1 'to=' 'no-commit' 'm/message=' 't/tag=+' 'param=+' 'metric=+' 'meta=+' 'metadata=' 'run=' 'author=' 'open-files=' 'pin' 'force' 'store=' 'json' 'version' 'h/help'
        case 'log'
            __firn_parse_subcommand 0 'n/count=' 'run=' 'reverse' 'store=' 'json' 'version' 'h/help'
        case 'show'
            __firn_parse_subcommand 1 'store=' 'json' 'version' 'h/help'
        case 'diff'
            __firn_parse_subcommand 2 'name-only' 'stat' 'store=' 'json' 'version' 'h/help'
        case 'ls'
            __firn_parse_subcommand 1 'l/long' 'R/recursive' 'store=' 'json' 'version' 'h/help'
        case 'cat'
            __firn_parse_subcommand -r 1 'store=' 'version' 'h/help'
        case 'du'
            __firn_parse_subcommand 1 'store=' 'json' 'version' 'h/help'
        case 'export'
            __firn_parse_subcommand 2 'force' 'store=' 'json' 'version' 'h/help'
        case 'tag'
            __firn_parse_subcommand -r 1 'd/delete' 'f/force' 'store=' 'json' 'version' 'h/help'
        case 'annotate'
            __firn_parse_subcommand -r 2 'author=' 'store=' 'json' 'version' 'h/help'
        case 'pin'
            __firn_parse_subcommand -r 1 'store=' 'json' 'version' 'h/help'
        case 'unpin'
            __firn_parse_subcommand -r 1 'store=' 'json' 'version' 'h/help'
        case 'restore'
            __firn_parse_subcommand -r 2 'force' 'store=' 'json' 'version' 'h/help'
        case 'forget'
            __firn_parse_subcommand -r 1 'keep-last=' 'keep-hourly=' 'keep-daily=' 'keep-weekly=' 'keep-monthly=' 'keep-yearly=' 'keep-within=' 'keep-tag=+' 'forget-tag=+' 'n/dry-run' 'prune' 'store=' 'json' 'version' 'h/help'
        case 'gc'
            __firn_parse_subcommand 0 'n/dry-run' 'store=' 'json' 'version' 'h/help'
        case 'verify'
            __firn_parse_subcommand 0 'quick' 'store=' 'json' 'version' 'h/help'
        case 'help'
            __firn_parse_subcommand -r 1 'version'
        end
    end
end

function __firn_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __firn_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __firn_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __firn_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__firn_tokens -p)
    if test -z "$(__firn_tokens -t)"
        set -l index (count (__firn_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'firn' -f
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'init' -d 'Make a store.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'mount' -d 'Mount a store.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'unmount' -d 'Unmount a store.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'status' -d 'Show what is staged, the latest version, and where the store is mounted.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'commit' -d 'Seal what is staged into a new version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'abort' -d 'Throw away what is staged.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'import' -d 'Copy a directory or a tar archive into staging and commit it.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'log' -d 'List versions, the newest first.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'show' -d 'Show everything that is known of a version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'diff' -d 'Show what differs between two versions.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'ls' -d 'List what is in a version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'cat' -d 'Write a sealed file to standard output.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'du' -d 'Show how much a store or a version holds.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'export' -d 'Copy a version out, as a directory or as a tar archive.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'tag' -d 'Put a tag on a version, take tags off, or list them.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'annotate' -d 'Add notes to a version, or list them.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'pin' -d 'Keep versions whatever the retention policy says.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'unpin' -d 'Let the retention policy decide about versions again.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'restore' -d 'Bring what a version holds back into staging.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'forget' -d 'Forget old versions, by policy or by name.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'gc' -d 'Free the space that no version needs.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'verify' -d 'Check that everything sealed is as it was.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn init" -eq 1' -fa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn init" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn init" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn init" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn mount" -eq 1' -fa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn mount" -eq 2' -fa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" allow-other' -l 'allow-other' -d 'Let other users in, each with the permissions that files have.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" f foreground' -l 'foreground' -s 'f' -d 'Stay in the foreground.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount"' -s 'o' -d 'ro, allow_other, nosupervise, passthrough=CHOICE or debug, as for mount(8).' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" log-file' -l 'log-file' -d 'Where the daemon logs to (default: STORE/firn.log).' -rF
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" debug' -l 'debug' -d 'Log every request of the kernel.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" supervise' -l 'supervise' -d 'Whether another daemon is started when one dies, so that programs with open files see a pause.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" no-supervise' -l 'no-supervise' -d 'Whether another daemon is started when one dies, so that programs with open files see a pause.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" passthrough' -l 'passthrough' -d 'Whether the kernel reads and writes files without the daemon (default: auto, where it can).' -rfka 'on off auto'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn mount" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn unmount" -eq 1' -fa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unmount" lazy' -l 'lazy' -d 'Detach the mount at once; it ends when nothing uses it any more.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unmount" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unmount" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unmount" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unmount" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn status" c changes' -l 'changes' -s 'c' -d 'List every staged change.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn status" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn status" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn status" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" m message' -l 'message' -s 'm' -d 'What this version is.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit"' -l 'tag' -s 't' -d 'A tag to put on the version. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit"' -l 'param' -d 'A parameter of the run, as text. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit"' -l 'metric' -d 'A result of the run, a finite number. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit"' -l 'meta' -d 'Anything else, as text. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" metadata' -l 'metadata' -d 'A JSON document {"params": {}, "metrics": {}, "meta": {}}; what the options above give wins.' -rfa '(for p in (string match -e -- \'*/\' (commandline -t);or printf \n)*.\'json\';printf %s\n $p;end;__fish_complete_directories (commandline -t) \'\')'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" run' -l 'run' -d 'The execution that made it, by your own name for it.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" author' -l 'author' -d 'Who made it (default: you, as user@host).' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" open-files' -l 'open-files' -d 'Files that are open for writing: include, skip, wait, wait=SECONDS or fail.' -rfka 'include skip wait fail'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" pin' -l 'pin' -d 'Pin the version: no retention policy forgets it.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" allow-empty' -l 'allow-empty' -d 'Make a version even if nothing changed.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" force' -l 'force' -d 'Move tags here that stand on another version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn commit" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn abort" y yes' -l 'yes' -s 'y' -d 'Do not ask.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn abort" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn abort" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn abort" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn abort" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn import" -eq 1' -F
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" to' -l 'to' -d 'Where in staging (default: all of it).' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" no-commit' -l 'no-commit' -d 'Leave it staged.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" m message' -l 'message' -s 'm' -d 'What this version is.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import"' -l 'tag' -s 't' -d 'A tag to put on the version. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import"' -l 'param' -d 'A parameter of the run, as text. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import"' -l 'metric' -d 'A result of the run, a finite number. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import"' -l 'meta' -d 'Anything else, as text. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" metadata' -l 'metadata' -d 'A JSON document {"params": {}, "metrics": {}, "meta": {}}; what the options above give wins.' -rfa '(for p in (string match -e -- \'*/\' (commandline -t);or printf \n)*.\'json\';printf %s\n $p;end;__fish_complete_directories (commandline -t) \'\')'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" run' -l 'run' -d 'The execution that made it, by your own name for it.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" author' -l 'author' -d 'Who made it (default: you, as user@host).' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" open-files' -l 'open-files' -d 'Files that are open for writing: include, skip, wait, wait=SECONDS or fail.' -rfka 'include skip wait fail'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" pin' -l 'pin' -d 'Pin the version: no retention policy forgets it.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" force' -l 'force' -d 'Replace staged changes that are in the way, commit others with it, and move tags.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn import" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" count n' -s 'n' -l 'count' -d 'At most so many.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" run' -l 'run' -d 'Only versions of this run.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" reverse' -l 'reverse' -d 'The oldest first.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn log" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn show" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn show" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn show" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn show" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn diff" name-only' -l 'name-only' -d 'Print the paths alone.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn diff" stat' -l 'stat' -d 'Print the sums alone.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn diff" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn diff" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn diff" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn diff" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn ls" l long' -l 'long' -s 'l' -d 'With mode, owner, size and time.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn ls" R recursive' -s 'R' -l 'recursive' -d 'Everything below as well, as paths.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn ls" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn ls" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn ls" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn ls" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn cat" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn cat" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn cat" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn du" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn du" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn du" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn du" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_positional "firn export" -eq 1' -F
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn export" force' -l 'force' -d 'Replace a tar file that exists, or write over a disk.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn export" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn export" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn export" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn export" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn tag" d delete' -s 'd' -l 'delete' -d 'Take the tags off.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn tag" f force' -l 'force' -s 'f' -d 'Move the tag if it stands on another version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn tag" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn tag" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn tag" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn tag" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn annotate" author' -l 'author' -d 'Who says so (default: you, as user@host).' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn annotate" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn annotate" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn annotate" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn annotate" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn pin" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn pin" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn pin" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn pin" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unpin" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unpin" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unpin" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn unpin" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn restore" force' -l 'force' -d 'Lose staged changes that are in the way.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn restore" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn restore" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn restore" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn restore" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-last' -l 'keep-last' -d 'The newest so many versions.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-hourly' -l 'keep-hourly' -d 'The newest version of so many hours.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-daily' -l 'keep-daily' -d 'The newest version of so many days.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-weekly' -l 'keep-weekly' -d 'The newest version of so many weeks.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-monthly' -l 'keep-monthly' -d 'The newest version of so many months.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-yearly' -l 'keep-yearly' -d 'The newest version of so many years.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" keep-within' -l 'keep-within' -d 'Versions less old than this, such as 36h, 7d or 1y6m.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget"' -l 'keep-tag' -d 'Versions with this tag. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget"' -l 'forget-tag' -d 'Tags that protect no longer; * and ? as in a shell. May be repeated.' -rfka ''
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" dry-run n' -s 'n' -l 'dry-run' -d 'Show what would be forgotten, and why the rest is kept.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" prune' -l 'prune' -d 'Free the space at once, as \'firn gc\' does.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn forget" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn gc" dry-run n' -s 'n' -l 'dry-run' -d 'Show what would be freed.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn gc" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn gc" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn gc" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn gc" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn verify" quick' -l 'quick' -d 'Look only whether objects are there and how large they are.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn verify" store' -l 'store' -d 'The store, or a mount of it (default: FIRN_STORE, else the mount you are in).' -rfa '(__firn_complete_directories)'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn verify" json' -l 'json' -d 'Print a JSON document instead of text.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn verify" version' -l 'version' -d 'Show the version.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn verify" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'firn' -n '__firn_should_offer_completions_for_flags_or_options "firn help" version' -l 'version' -d 'Show the version.'
