package polartest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// How a list is cut into pages.
const (
	defaultLimit = 10
	maxLimit     = 100 // more is cut silently
)

// list answers one page of the customers: mu is held.
func (s *Server) list(query url.Values) answer {
	page, limit, problem := paging(query)
	if problem != nil {
		return *problem
	}
	sorting := "-created_at"
	if query.Has("sorting") {
		sorting = last(query, "sorting")
	}
	if _, ok := sortings()[strings.TrimPrefix(sorting, "-")]; !ok {
		return invalidRequest("enum", "query", "sorting", "Input should be a valid sorting", sorting)
	}
	found := filter(s.customers.by(sorting), last(query, "query"), last(query, "email"))
	if carries := metadataFilter(query); carries != nil {
		found = slices.DeleteFunc(slices.Clone(found), func(c *Customer) bool { return !carries(c.Metadata) })
	}
	return pageOf(found, page, limit, func(c *Customer) any { return customerJSON(s.options.OrganizationID, c) })
}

// pageOf answers with one page of what was found.
func pageOf[T any](found []T, page, limit int, show func(T) any) answer {
	var result struct {
		Items      []any `json:"items"`
		Pagination struct {
			TotalCount int `json:"total_count"`
			MaxPage    int `json:"max_page"`
		} `json:"pagination"`
	}
	result.Items = []any{}
	result.Pagination.TotalCount, result.Pagination.MaxPage = len(found), (len(found)+limit-1)/limit
	for i := (page - 1) * limit; i < min(page*limit, len(found)); i++ {
		result.Items = append(result.Items, show(found[i]))
	}
	return jsonAnswer(http.StatusOK, encode(result))
}

// paging reads which page is asked for, and how much is on one.
func paging(query url.Values) (page, limit int, problem *answer) {
	if page, problem = positive(query, "page", 1); problem == nil {
		limit, problem = positive(query, "limit", defaultLimit)
	}
	return page, min(limit, maxLimit), problem
}

// filter returns the customers that match: text in name or e-mail or at the
// beginning of the external id, email as a whole, all without regard to case.
func filter(all []*Customer, text, email string) []*Customer {
	if text == "" && email == "" {
		return all
	}
	text = strings.ToLower(text)
	var found []*Customer
	for _, customer := range all {
		if email != "" && !strings.EqualFold(customer.Email, email) {
			continue
		}
		if strings.Contains(strings.ToLower(customer.Name), text) ||
			strings.Contains(strings.ToLower(customer.Email), text) ||
			strings.HasPrefix(strings.ToLower(customer.ExternalID), text) {
			found = append(found, customer)
		}
	}
	return found
}

// positive reads a number above 0.
func positive(query url.Values, name string, fallback int) (int, *answer) {
	if !query.Has(name) {
		return fallback, nil
	}
	text := last(query, name)
	number, err := strconv.Atoi(text)
	if err != nil {
		problem := invalidRequest("int_parsing", "query", name,
			"Input should be a valid integer, unable to parse string as an integer", text)
		return 0, &problem
	}
	if number <= 0 {
		problem := invalidRequest("greater_than", "query", name, "Input should be greater than 0", text)
		return 0, &problem
	}
	return number, nil
}
