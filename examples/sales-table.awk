#!/usr/bin/awk -f
# /// stagedoor
# title = "Sales as a table"
# description = "Adds up the sales by region, product or month and prints them as CSV, ready for a spreadsheet."
# tags = ["report", "csv"]
# order = 30
# access = { run = ["everyone"] }
# timeout = "1m"
#
# [[param]]
# name = "by"
# title = "One row for each"
# pass = "env"
# choices = ["region", "product", "month"]
# default = "region"
#
# [[param]]
# name = "at_least"
# title = "Leave out sums below"
# type = "number"
# pass = "env"
# default = 0
# min = 0
# ///
# Needs: awk (mawk, gawk and busybox all do). An awk script takes its parameters from the
# environment, because awk reads words that begin with a dash as options of its own.
BEGIN {
    FS = ","
    column["region"] = 2
    column["product"] = 3
    column["month"] = 1
    by = ENVIRON["PARAM_BY"]
    if (by == "") by = "region"
    if (!(by in column)) {
        print "I cannot add up by " by "." > "/dev/stderr"
        failed = 2
        exit failed
    }
    file = "data/sales.csv"
    if ((getline line < file) <= 0) {
        print "I cannot read " file "." > "/dev/stderr"
        failed = 1
        exit failed
    }
    while ((getline line < file) > 0) {
        split(line, field, ",")
        key = field[column[by]]
        if (by == "month") key = substr(key, 1, 7)
        if (!(key in count)) order[++keys] = key
        count[key]++
        sum[key] += field[4]
    }
    print by ",sales,sum,average"
    sort_order()
    for (at = 1; at <= keys; at++) {
        key = order[at]
        if (sum[key] >= ENVIRON["PARAM_AT_LEAST"] + 0)
            printf "%s,%d,%.2f,%.2f\n", key, count[key], sum[key], sum[key] / count[key]
    }
    exit 0
}

# By name; few rows, so insertion sort will do.
function sort_order(    at, back, key) {
    for (at = 2; at <= keys; at++) {
        key = order[at]
        for (back = at - 1; back >= 1 && order[back] > key; back--) order[back + 1] = order[back]
        order[back + 1] = key
    }
}
