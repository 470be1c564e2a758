package polartest_test

import (
	"fmt"
	"net/http"

	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

// The connection breaks after Polar has deleted the customer: the client cannot
// know, and the repeat finds nobody.
func Example() {
	server := polartest.New(polartest.Options{})
	address, err := server.Start("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	server.AddCustomer(polartest.Customer{ExternalID: "user_1"})
	server.FailNext(1, polartest.ResetAfterCommit())

	for range 2 {
		request, err := http.NewRequest(http.MethodDelete, address+"/v1/customers/external/user_1", http.NoBody)
		if err != nil {
			fmt.Println(err)
			return
		}
		request.Header.Set("Authorization", "Bearer "+polartest.DefaultToken)
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}
	for _, entry := range server.Journal() {
		fmt.Println(entry.ExternalID, entry.Status, entry.Committed, entry.Fault)
	}
	// Output:
	// user_1 0 true reset_after_commit
	// user_1 404 false
}
