package polartest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// customerData is Polar's Customer.
type customerData struct {
	ID                     string         `json:"id"`
	CreatedAt              time.Time      `json:"created_at"`
	ModifiedAt             *time.Time     `json:"modified_at"`
	Metadata               map[string]any `json:"metadata"`
	ExternalID             *string        `json:"external_id"`
	Email                  string         `json:"email"`
	EmailVerified          bool           `json:"email_verified"`
	Type                   string         `json:"type"`
	Name                   *string        `json:"name"`
	BillingName            *string        `json:"billing_name"`
	BillingAddress         any            `json:"billing_address"`
	TaxID                  any            `json:"tax_id"`
	Locale                 *string        `json:"locale"`
	OrganizationID         string         `json:"organization_id"`
	DefaultPaymentMethodID *string        `json:"default_payment_method_id"`
	DeletedAt              *time.Time     `json:"deleted_at"`
	FirstUserEventAt       *time.Time     `json:"first_user_event_at"`
	AvatarURL              string         `json:"avatar_url"`
}

// stateData is Polar's CustomerState.
type stateData struct {
	customerData

	ActiveSubscriptions []subscriptionData `json:"active_subscriptions"`
	GrantedBenefits     []benefitData      `json:"granted_benefits"`
	ActiveMeters        []any              `json:"active_meters"`
}

// subscriptionData is Polar's CustomerStateSubscription.
type subscriptionData struct {
	ID                 string         `json:"id"`
	CreatedAt          time.Time      `json:"created_at"`
	ModifiedAt         *time.Time     `json:"modified_at"`
	CustomFieldData    map[string]any `json:"custom_field_data"`
	Metadata           map[string]any `json:"metadata"`
	Status             string         `json:"status"`
	Amount             int            `json:"amount"`
	Currency           string         `json:"currency"`
	RecurringInterval  string         `json:"recurring_interval"`
	CurrentPeriodStart time.Time      `json:"current_period_start"`
	CurrentPeriodEnd   time.Time      `json:"current_period_end"`
	CancelAtPeriodEnd  bool           `json:"cancel_at_period_end"`
	StartedAt          time.Time      `json:"started_at"`
	EndsAt             *time.Time     `json:"ends_at"`
	ProductID          string         `json:"product_id"`
	DiscountID         *string        `json:"discount_id"`
	Meters             []any          `json:"meters"`
}

// benefitData is Polar's CustomerStateBenefitGrant.
type benefitData struct {
	ID          string         `json:"id"`
	CreatedAt   time.Time      `json:"created_at"`
	ModifiedAt  *time.Time     `json:"modified_at"`
	GrantedAt   time.Time      `json:"granted_at"`
	BenefitID   string         `json:"benefit_id"`
	BenefitType string         `json:"benefit_type"`
	Properties  map[string]any `json:"properties"`
}

// customerJSON returns the customer as Polar shows it.
func customerJSON(organizationID string, customer *Customer) customerData {
	digest := sha256.Sum256([]byte(customer.Email))
	return customerData{
		ID:             customer.ID,
		CreatedAt:      customer.CreatedAt.UTC(),
		Metadata:       orEmpty(customer.Metadata),
		DeletedAt:      customer.deletedAt,
		ExternalID:     orNull(customer.ExternalID),
		Email:          customer.Email,
		EmailVerified:  true,
		Type:           customer.Type,
		Name:           orNull(customer.Name),
		BillingName:    orNull(customer.Name),
		OrganizationID: organizationID,
		AvatarURL:      "https://www.gravatar.com/avatar/" + hex.EncodeToString(digest[:]) + "?d=404",
	}
}

// stateJSON returns the customer with what a deletion would end.
func stateJSON(organizationID string, customer *Customer) stateData {
	state := stateData{
		customerData:        customerJSON(organizationID, customer),
		ActiveSubscriptions: []subscriptionData{},
		GrantedBenefits:     []benefitData{},
		ActiveMeters:        []any{},
	}
	started := customer.CreatedAt.UTC()
	for i := range customer.ActiveSubscriptions {
		state.ActiveSubscriptions = append(state.ActiveSubscriptions, subscriptionData{
			ID:                 fmt.Sprintf("5ab5c000-0000-4000-8000-%012x", i+1),
			CreatedAt:          started,
			CustomFieldData:    map[string]any{},
			Metadata:           orEmpty(customer.SubscriptionMetadata),
			Status:             "active",
			Amount:             1000,
			Currency:           "usd",
			RecurringInterval:  "month",
			CurrentPeriodStart: started,
			CurrentPeriodEnd:   started.AddDate(0, 1, 0),
			StartedAt:          started,
			ProductID:          "9400d0c7-0000-4000-8000-000000000001",
			Meters:             []any{},
		})
	}
	for i := range customer.GrantedBenefits {
		state.GrantedBenefits = append(state.GrantedBenefits, benefitData{
			ID:          fmt.Sprintf("9ca47000-0000-4000-8000-%012x", i+1),
			CreatedAt:   started,
			GrantedAt:   started,
			BenefitID:   fmt.Sprintf("be4ef170-0000-4000-8000-%012x", i+1),
			BenefitType: "custom",
			Properties:  map[string]any{},
		})
	}
	return state
}

// orEmpty returns an empty object for nil, which would be null.
func orEmpty(metadata map[string]any) map[string]any {
	if metadata == nil {
		return map[string]any{}
	}
	return metadata
}

// orNull returns nil for "".
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
