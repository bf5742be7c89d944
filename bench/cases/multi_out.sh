# 32 clients, orders of 3 lines over 20 items that are out of stock

declare -F multi >/dev/null || . <(sed '/^make_multi multi /,$d' "$here/cases/multi.sh")
make_multi multi_out ""
interleave multi extension_few extension_all statement_trigger_few
once multi row_trigger_few
report_multi " out of stock"
