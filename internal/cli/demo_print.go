package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// print shows what happened to each delivery, then where an operator sees it, and
// counts those that did not end as they should.
func (d *demo) print(w io.Writer, all []scene) (wrong int, err error) {
	table := newTable(w)
	table.line("", "WHAT HAPPENED", "WEBHOOK", "DELETE", "OUTCOME", "")
	for i, s := range all {
		mark := "ok"
		if s.gotStatus != s.status || !slices.Equal(s.gotCalls, s.calls) || strings.HasSuffix(s.gotMetric, " 0") {
			mark = "WRONG"
			wrong++
		}
		table.line(i+1, s.title, s.gotStatus, calls(s.gotCalls), s.outcome, mark)
	}
	table.line("\nWhere an operator sees it:")
	for i, s := range all {
		table.line(fmt.Sprintf("\n%d  answer  %s\n   log     %s\n   metric  %s", i+1, s.gotBody, s.gotLine, s.gotMetric))
	}
	table.line()
	return wrong, table.flush()
}

// calls shows what Polar answered to the DELETEs it saw.
func calls(statuses []int) string {
	if len(statuses) == 0 {
		return "not asked"
	}
	texts := make([]string, len(statuses))
	for i, status := range statuses {
		texts[i] = fmt.Sprint(status)
	}
	return strings.Join(texts, ", then ")
}
