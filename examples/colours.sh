#!/bin/bash
# /// stagedoor
# title = "Colours"
# description = "Prints text in the 16 named colours, the 256 of the palette and true colour, and in each style."
# tags = ["colour", "demo"]
# order = 50
# access = { run = ["everyone"] }
# timeout = "1m"
#
# [[param]]
# name = "show"
# type = "choice"
# choices = [{ value = "named", label = "16 named colours" }, { value = "palette", label = "256 of the palette" }, { value = "true", label = "True colour" }, { value = "styles", label = "Styles" }]
# multiple = "spread"
# default = ["named", "palette", "true", "styles"]
# ///
# Needs: bash.
set -euo pipefail

reset=$'\e[0m'

named() {
  local names=(black red green yellow blue magenta cyan white) colour
  for colour in 0 1 2 3 4 5 6 7; do
    printf '\e[%dm%-10s%s \e[%dmbright %-10s%s \e[%dm on it %s\n' \
      "$(( 30 + colour ))" "${names[colour]}" "$reset" \
      "$(( 90 + colour ))" "${names[colour]}" "$reset" \
      "$(( 40 + colour ))" "$reset"
  done
}

palette() {
  local colour text
  for (( colour = 0; colour < 256; colour++ )); do
    # Dark text where the green part, which the eye sees brightest, or the grey is light.
    if (( colour < 16 )); then text=$(( colour % 8 == 7 || colour > 9 && colour % 4 > 1 ? 16 : 231 ))
    elif (( colour < 232 )); then text=$(( (colour - 16) / 6 % 6 > 2 ? 16 : 231 ))
    else text=$(( colour > 243 ? 16 : 231 ))
    fi
    printf '\e[38;5;%d;48;5;%dm %3d %s' "$text" "$colour" "$colour" "$reset"
    if (( colour == 15 || (colour > 15 && (colour - 15) % 12 == 0) )); then printf '\n'; fi
  done
}

true_colour() {
  local at
  for (( at = 0; at < 72; at++ )); do
    printf '\e[38;2;%d;%d;%dm█' "$(( 255 - at * 255 / 71 ))" "$(( at < 36 ? at * 7 : (71 - at) * 7 ))" "$(( at * 255 / 71 ))"
  done
  printf '%s\n' "$reset"
}

styles() {
  printf '\e[1mbold%s \e[2mdim%s \e[3mitalic%s \e[4munderlined%s \e[7minverse%s \e[9mstruck%s \e[1;4;31mall at once%s\n' \
    "$reset" "$reset" "$reset" "$reset" "$reset" "$reset" "$reset"
}

for part in "${@:-styles}"; do
  case $part in
    named) named ;;
    palette) palette ;;
    true) true_colour ;;
    styles) styles ;;
    *) echo "I do not know $part." >&2; exit 2 ;;
  esac
  printf '\n'
done
