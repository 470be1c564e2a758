package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// print writes the report as tables, or as JSON.
func (d *doctor) print(asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(d.env.Stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(d.report)
	}
	var text strings.Builder
	for _, table := range []func(io.Writer){d.printSettings, d.printProviders, d.printChecks} {
		columns := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		table(columns)
		if err := columns.Flush(); err != nil {
			return fmt.Errorf("print the report: %w", err)
		}
	}
	_, err := io.WriteString(d.env.Stdout, text.String())
	return err
}

func (d *doctor) printSettings(table io.Writer) {
	fmt.Fprintln(table, "SETTING\tSOURCE\tVALUE")
	for _, s := range d.report.Settings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", s.Name, s.Source, s.Value)
	}
}

func (d *doctor) printProviders(table io.Writer) {
	fmt.Fprintln(table, "\nPROVIDER\tON\tEVENT ID SIGNED\tOLD REQUESTS REFUSED\tUSER IDS REUSABLE\tREGISTER THIS URL")
	for _, p := range d.report.Providers {
		address := p.URL
		if !p.Enabled {
			address = p.Secret + " is not set"
		}
		if !p.Enabled && d.invalid[p.Secret] {
			address = "see " + p.Secret
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n",
			p.Name, yesNo(p.Enabled), yesNo(p.SignedID), yesNo(p.Timestamped), yesNo(p.IDsReusable), address)
	}
}

func (d *doctor) printChecks(table io.Writer) {
	fmt.Fprintln(table, "\nSTATUS\tCHECK\tDETAIL")
	for _, c := range d.report.Checks {
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Status, c.Name, c.Detail)
		if c.Do != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", c.Do)
		}
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
