#!/usr/bin/env bash
# Prints the name of every test, sorted, as `target name`: the list that a vanished test is missed from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# names TARGET COMMAND...
names() {
    "${@:2}" -- --list --format=terse | sed -n "s/^\(.*\): test$/$1 \1/p"
}

list() {
    names "$1" cargo test --quiet --features devstack "${@:2}"
}

{
    list lib --lib
    list bin --bins
    # Every target that Cargo.toml names. The model is built as make builds it.
    for target in $(sed -n '/^\[\[test\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml); do
        case "$target" in
        model) names "$target" cargo test --quiet --config profile.dev.package.berth.opt-level=2 --features model-mutants --test "$target" ;;
        *) list "$target" --test "$target" ;;
        esac
    done
} | LC_ALL=C sort
