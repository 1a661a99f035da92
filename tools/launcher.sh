#!/bin/sh
# PgDog Mirror @VERSION@ for @PLATFORM@ in one file: this script, and behind it
# a compressed archive of the Deno runtime and the program. The first start
# unpacks it, later ones find it unpacked; then this process becomes the
# program, so that signals and the exit code are the program's own.
#
# Where to: $XDG_CACHE_HOME or ~/.cache, or else $TMPDIR. What is run belongs to
# this user and nobody else can write it. It can be deleted at any time when the
# program is not running.
set -eu

# A reload that comes before the program listens for it must not end it: SIGHUP
# would, and systemd takes that for a clean end and does not start it again.
# It is ignored here. The program begins with it blocked, too, and unblocks it
# once it listens: the runtime resets what is ignored while it boots. "run" is
# also the default command. GNU env can block since coreutils 8.31.
hangup=HUP
block=
case ${1:-} in '' | run | --config* | --users*)
  trap '' HUP
  hangup=
  if env --block-signal=HUP true 2>/dev/null; then
    block='env --block-signal=HUP'
  fi
  ;;
esac

key=@KEY@
entries=@ENTRIES@
archive_line=@ARCHIVE_LINE@

say() {
  printf 'pgdog-mirror: %s\n' "$1" >&2
}

# Nobody else can put a folder of theirs in the place of $root: the folder that
# it is in is sticky, or only this user and root write there.
is_private() {
  [ -n "$(find -H "${root%/*}" -prune -type d \( -perm -1000 -o \
    \( -user "$uid" -o -user 0 \) ! -perm -002 \) 2>/dev/null)" ] &&
    [ -n "$(find "$root" -prune -type d -user "$uid" \
      ! -perm -020 ! -perm -002 2>/dev/null)" ]
}

# All that was unpacked to $1 is there and is ours. It is counted because
# cleaners of temporary folders take files one by one.
is_whole() {
  [ "$(find "$1" -user "$uid" ! -perm -020 ! -perm -002 2>/dev/null |
    wc -l)" -eq "$entries" ]
}

archive() {
  tail -n "+$archive_line" "$self"
}

# Unpacks to a folder of its own and renames that to $home, so that many first
# starts at once do no harm. Returns 1 if $root is no place for it, 2 if the
# archive is damaged.
unpack() (
  umask 077
  work=$(mktemp -d "$root/unpack.XXXXXX" 2>/dev/null) || {
    say "$root can't be written to"
    exit 1
  }
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' $hangup INT TERM
  say "unpacking to $home (once)"
  new=$work/new
  mkdir "$new"
  status=0
  said=$({
    archive | { gzip -dc 2>/dev/null || echo "gzip has failed" >&2; } |
      tar -xof - -C "$new"
  } 2>&1) || status=$?
  case $said in *"gzip has failed"*) status=1 ;; esac
  if [ "$status" -ne 0 ] || ! is_whole "$new"; then
    if archive | gzip -t 2>/dev/null; then
      say "can't unpack to $root: $said"
      exit 1
    fi
    say "$self is damaged, download it again"
    exit 2
  fi
  if ! "$new/pgdog-mirror" --version >/dev/null 2>&1; then
    say "programs can't be run in $root"
    exit 1
  fi
  # If it is there already, another start was faster, or part of it was deleted.
  mv -T "$new" "$home" 2>/dev/null || is_whole "$home" ||
    { mv -T "$home" "$work/old" && mv -T "$new" "$home"; } || exit 1
)

# All permissions: FFI to libc, which the data path is made of, is as good as
# all of them, and a plugin of the user's may need any.
start() {
  export DENO_DIR="$root/deno" DENO_NO_UPDATE_CHECK=1
  # shellcheck disable=SC2086 # $block is words
  exec $block "$home/pgdog-mirror" run --allow-all --quiet --cached-only --no-lock \
    --config "$home/app/deno.json" "$home/app/main.ts" "$@"
}

uid=$(id -u)
self=$0
case $self in
*/*) ;;
*) [ -f "./$self" ] && self=./$self || self=$(command -v -- "$self") ;;
esac
# An XDG path that is not absolute is to be ignored.
cache=${XDG_CACHE_HOME:-}
case $cache in
/*) ;;
*) cache=${HOME:+$HOME/.cache} ;;
esac

for step in find make; do
  for root in ${cache:+"$cache/pgdog-mirror"} \
    "${TMPDIR:-/tmp}/pgdog-mirror-$uid"; do
    home=$root/$key
    if [ "$step" = find ]; then
      if is_private && is_whole "$home"; then start "$@"; fi
      continue
    fi
    (umask 077 && mkdir -p "$root" 2>/dev/null) || :
    if [ ! -d "$root" ]; then
      say "$root can't be made"
    elif ! is_private; then
      say "$root is refused: somebody else owns it or can change it"
    else
      status=0
      unpack || status=$?
      if [ "$status" -eq 0 ]; then start "$@"; fi
      if [ "$status" -eq 2 ]; then exit 2; fi
    fi
  done
done
say "nowhere to unpack to: set XDG_CACHE_HOME to a folder of your own"
exit 2
