#!/bin/sh
# Installs FreeRide for this user: uv where it is missing, then `uv tool install freeride-gateway`.
# Plain POSIX; what it is about to do it says first. Can be run again: then it upgrades.
set -eu

# An entry of PATH that is relative or empty names the folder that this runs in, which may be a stranger's.
left="${PATH:-}:"
PATH=''
while [ -n "$left" ]; do
    entry=${left%%:*}
    left=${left#*:}
    case $entry in /*) PATH="$PATH${PATH:+:}$entry" ;; esac
done
PATH=${PATH:-/usr/bin:/bin}
export PATH

WANTED='freeride-gateway>=0.5'
UV_INSTALLER='https://astral.sh/uv/install.sh'

usage() {
    cat <<'EOF'
Usage: sh install.sh [--dry-run] [--help]

Installs the command `freeride` for this user, in an environment of its own.

  --dry-run   say what would be done, and do nothing
  --help      show this

Environment:
  FREERIDE_INDEX   where the packages come from: a folder of wheels, from which
                   alone everything is taken, or an index that is asked first
  UV_*             whatever uv itself heeds, such as UV_TOOL_BIN_DIR

Nothing is sent anywhere but the requests for the packages, and no file of your
shell is changed.
EOF
}

say() { printf 'freeride: %s\n' "$*"; }
fail() {
    printf 'freeride: %s\n' "$*" >&2
    exit 1
}
# As it could be typed, but for the name and the password that an address may hold.
typed() {
    line=''
    for word in "$@"; do
        case $word in
            *://*@*) word="${word%%://*}://***@${word##*@}" ;;
        esac
        case $word in
            '' | *[!A-Za-z0-9_./:@%+,=-]*)
                quoted=''
                while [ "$word" != "${word#*\'}" ]; do
                    quoted="$quoted${word%%\'*}'\\''"
                    word=${word#*\'}
                done
                word="'$quoted$word'"
                ;;
        esac
        line="$line${line:+ }$word"
    done
    printf '%s\n' "$line"
}
run() {
    say "running: $(typed "$@")"
    [ -n "$dry_run" ] || "$@"
}

dry_run=''
for argument in "$@"; do
    case $argument in
        --dry-run) dry_run=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; printf 'freeride: there is no option %s\n' "$argument" >&2; exit 2 ;;
    esac
done
[ -n "${HOME:-}" ] || fail 'HOME is not set'
index=${FREERIDE_INDEX:-}

find_uv() {
    for place in "$(command -v uv || true)" "$HOME/.local/bin/uv" "$HOME/.cargo/bin/uv"; do
        if [ -n "$place" ] && [ -x "$place" ]; then
            printf '%s\n' "$place"
            return
        fi
    done
}

# The script is fetched as a whole before any of it runs.
get_uv_from_its_makers() {
    say "uv is missing; its makers' installer puts it into ~/.local/bin: $UV_INSTALLER"
    [ -z "$dry_run" ] || return 0
    script=$(mktemp)
    trap 'rm -f "$script"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if command -v curl >/dev/null 2>&1; then
        curl -LsSf "$UV_INSTALLER" -o "$script" || return 1
    else
        wget -qO "$script" "$UV_INSTALLER" || return 1
    fi
    UV_NO_MODIFY_PATH=1 sh "$script"
}

get_uv_with_python() {
    own="$HOME/.local/share/freeride-uv"
    say "uv is missing; Python puts it into $own, with a link in ~/.local/bin"
    run python3 -I -m venv "$own" || return 1
    if [ -z "$index" ]; then
        run "$own/bin/python" -I -m pip install --quiet uv || return 1
    elif [ -d "$index" ]; then
        run "$own/bin/python" -I -m pip install --quiet --no-index --find-links "$index" uv || return 1
    else
        run "$own/bin/python" -I -m pip install --quiet --index-url "$index" uv || return 1
    fi
    run mkdir -p "$HOME/.local/bin"
    run ln -sf "$own/bin/uv" "$HOME/.local/bin/uv"
}

uv=$(find_uv)
if [ -z "$uv" ]; then
    got=''
    if [ -z "$index" ] && { command -v curl || command -v wget; } >/dev/null 2>&1; then
        get_uv_from_its_makers && got=yes
    fi
    if [ -z "$got" ] && command -v python3 >/dev/null 2>&1; then
        get_uv_with_python && got=yes
    fi
    [ -n "$got" ] || fail 'uv cannot be had: it takes curl, wget or a Python with venv. Install uv by hand, and run this again.'
    uv=$(find_uv)
    if [ -z "$uv" ]; then
        [ -n "$dry_run" ] || fail 'uv was installed, and is not in ~/.local/bin: put its folder on your PATH, and run this again.'
        uv=uv
    fi
fi

if [ -z "$index" ]; then
    run "$uv" tool install --upgrade "$WANTED"
elif [ -d "$index" ]; then
    run "$uv" tool install --upgrade --no-index --find-links "$index" "$WANTED"
else
    run "$uv" tool install --upgrade --index "$index" "$WANTED"
fi
[ -z "$dry_run" ] || exit 0

bin=$("$uv" tool dir --bin)
version=$("$bin/freeride" --version) || fail "$bin/freeride does not start"
say "$version is installed in $bin"
case ":$PATH:" in
    *":$bin:"*) ;;
    *)
        say 'that folder is not on your PATH; add this line to what your shell reads at its start:'
        # shellcheck disable=SC2016 # the line is for the user's shell
        printf '  export PATH="%s:$PATH"\n' "$bin"
        ;;
esac
say 'next: freeride init (your keys), freeride serve, freeride bind; or first look on without a key: freeride demo'
