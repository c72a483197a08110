#!/usr/bin/env bash
# Prints the name of every test, sorted, as `target name`: the list that a vanished test is missed from.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

list() {
    cargo test --quiet --features devstack "${@:2}" -- --list --format=terse | sed -n "s/^\(.*\): test$/$1 \1/p"
}

{
    list lib --lib
    list bin --bins
    # Every target that Cargo.toml names.
    for target in $(sed -n '/^\[\[test\]\]/,/^$/s/^name = "\(.*\)"/\1/p' Cargo.toml); do
        list "$target" --test "$target"
    done
} | LC_ALL=C sort
