package polar_test

import (
	"context"
	"fmt"
	"net/url"

	"github.com/polar-bridge/polar-bridge/polar"
	"github.com/polar-bridge/polar-bridge/polar/polartest"
)

func Example() {
	server := polartest.New(polartest.Options{})
	address, err := server.Start("")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	server.AddCustomer(polartest.Customer{ExternalID: "auth0|42"})

	base, err := url.Parse(address)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := polar.New(polar.Options{BaseURL: base, Token: func() string { return polartest.DefaultToken }})
	for range 2 {
		answer, err := client.DeleteCustomer(context.Background(), "auth0|42", true)
		fmt.Println(answer.StatusCode, answer.Result, err)
	}
	// Output:
	// 204 deleted <nil>
	// 404 not_found <nil>
}
