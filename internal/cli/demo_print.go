package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// print shows what happened to each delivery, then where an operator sees it, and
// counts those that did not end as they should.
func (d *demo) print(w io.Writer, all []shown) (wrong int, err error) {
	fmt.Fprint(w, "A local Polar with 3 customers, the real server in front of it, SQLite in a temporary folder.\n\n")
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

// stay says what else to try and shows the log until ctx ends.
func (d *demo) stay(ctx context.Context, env *Env) error {
	_, err := fmt.Fprintf(env.Stdout, `Still running; Ctrl-C ends it. One customer is left. Try, from another terminal:

  export %s

  polar-bridge send clerk --url %s --external-id %s --yes
  polar-bridge selftest clerk --url %s --email you@polar.sh
  polar-bridge deletions list
  polar-bridge deletions pause --because "to try it"
  polar-bridge deletions stats
  polar-bridge deletions resume
  polar-bridge deletions export

  webhooks  %s/webhooks/clerk, %s/webhooks/auth0
  metrics   %s/metrics
  readiness %s/readyz?verbose
  Polar     %s

The log follows.
`, strings.Join(d.exports, " \\\n    "), d.webhooks, demoCleo, d.webhooks, d.webhooks, d.webhooks, d.operator, d.operator, d.polar.URL())
	for err == nil {
		select {
		case line := <-d.log:
			_, err = env.Stderr.Write(line)
		case <-ctx.Done():
			return nil
		}
	}
	return err
}
