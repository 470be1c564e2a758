package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// asItShould says whether a scene ended as it must.
func (s *shown) asItShould() bool {
	return s.gotStatus == s.status && slices.Equal(s.gotCalls, s.calls) && !strings.HasSuffix(s.gotMetric, " 0")
}

// print shows what happened to each delivery, then where an operator sees it.
func (d *demo) print(w io.Writer, all []shown) error {
	var text strings.Builder
	text.WriteString("A local Polar with 3 customers, the real server in front of it, SQLite in a temporary folder.\n\n")
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tWHAT HAPPENED\tWEBHOOK\tPOLAR\tOUTCOME\tTOOK\t")
	for i, s := range all {
		mark := "ok"
		if !s.asItShould() {
			mark = "WRONG"
		}
		fmt.Fprintf(table, "%d\t%s\t%d\t%s\t%s\t%s\t%s\n",
			i+1, s.title, s.gotStatus, calls(s.gotCalls), s.outcome, s.took.Round(time.Millisecond), mark)
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	text.WriteString("\nWhere an operator sees it:\n")
	for i, s := range all {
		fmt.Fprintf(&text, "\n%d  answer  %s\n   log     %s\n   metric  %s\n", i+1, s.gotBody, s.gotLine, s.gotMetric)
	}
	_, err := io.WriteString(w, text.String()+"\n")
	return err
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
	return "DELETE: " + strings.Join(texts, ", then ")
}

// checkScenes fails unless all scenes ended as they must.
func checkScenes(all []shown) error {
	wrong := 0
	for _, s := range all {
		if !s.asItShould() {
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d did not end as they should", wrong, len(all))
	}
	return nil
}

// invite says what else to try while the demo stays.
func (d *demo) invite(w io.Writer) error {
	_, err := fmt.Fprintf(w, `Still running; Ctrl-C ends it. One customer is left. Try, from another terminal:

  CLERK_WEBHOOK_SIGNING_SECRET=%s \
    polar-bridge send clerk --url %s --external-id %s --yes

  webhooks  %s/webhooks/clerk, %s/webhooks/auth0
  metrics   %s/metrics
  readiness %s/readyz?verbose
  Polar     %s

The log follows.
`, d.clerk, d.webhooks, demoCleo, d.webhooks, d.webhooks, d.operator, d.operator, d.polar.URL())
	return err
}
