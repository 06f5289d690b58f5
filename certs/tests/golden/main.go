// Writes tokens of the reference implementation to standard output: what certs/tests/nats.rs compares our own with.
// Run by hand when a claim is added: go run . > tokens.json
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
)

type vector struct {
	Name   string `json:"name"`
	Issuer string `json:"issuer"` // seed of a key made for this file alone
	Token  string `json:"token"`
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func public(pair nkeys.KeyPair) string { return must(pair.PublicKey()) }
func seed(pair nkeys.KeyPair) string   { return string(must(pair.Seed())) }

func main() {
	operator, operatorSigning := must(nkeys.CreateOperator()), must(nkeys.CreateOperator())
	account, plain, scoped := must(nkeys.CreateAccount()), must(nkeys.CreateAccount()), must(nkeys.CreateAccount())
	user, other := must(nkeys.CreateUser()), must(nkeys.CreateUser())
	var vectors []vector
	add := func(name string, claims jwt.Claims, issuer nkeys.KeyPair) {
		vectors = append(vectors, vector{name, seed(issuer), must(claims.Encode(issuer))})
	}

	o := jwt.NewOperatorClaims(public(operator))
	o.Name = "roadstead"
	o.SigningKeys.Add(public(operatorSigning))
	o.SystemAccount = public(account)
	o.StrictSigningKeyUsage = true
	add("operator", o, operator)

	a := jwt.NewAccountClaims(public(account))
	a.Name = "ROADSTEAD"
	a.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	a.SigningKeys.Add(public(plain))
	scope := jwt.NewUserScope()
	scope.Key = public(scoped)
	scope.Role = "reader"
	scope.Template.Pub.Deny.Add(">")
	scope.Template.Sub.Allow.Add("roadstead.event.{{tag(cluster)}}.>")
	scope.Template.Resp = &jwt.ResponsePermission{MaxMsgs: 1, Expires: time.Second}
	a.SigningKeys.AddScopedSigner(scope)
	a.RevokeAt(public(other), time.Unix(1700000000, 0))
	a.Authorization.AuthUsers.Add(public(user))
	a.Authorization.AllowedAccounts.Add("*")
	add("account", a, operatorSigning)

	u := jwt.NewUserClaims(public(user))
	u.Name = "executor"
	u.IssuerAccount = public(account)
	u.Pub.Allow.Add("$JS.API.STREAM.INFO.ROADSTEAD_CHANGES")
	u.Sub.Allow.Add("_INBOX_executor.>")
	u.AllowedConnectionTypes.Add("STANDARD")
	u.Expires = 4102444800
	add("user", u, plain)

	s := jwt.NewUserClaims(public(other))
	s.Name = "reader of east"
	s.IssuerAccount = public(account)
	s.Tags.Add("cluster:east")
	s.SetScoped(true)
	add("scoped user", s, scoped)

	server := must(nkeys.CreateServer())
	question := jwt.NewAuthorizationRequestClaims(public(account))
	question.Server = jwt.ServerID{Name: "nats-0", Host: "127.0.0.1", ID: public(server)}
	question.UserNkey = public(user)
	question.ConnectOptions = jwt.ConnectOptions{Token: "a token of a ServiceAccount", Lang: "rust", Protocol: 1}
	add("question", question, server)

	verdict := jwt.NewAuthorizationResponseClaims(public(user))
	verdict.Audience = public(server)
	verdict.Jwt = must(u.Encode(plain))
	verdict.IssuerAccount = public(account)
	add("verdict", verdict, plain)

	refusal := jwt.NewAuthorizationResponseClaims(public(user))
	refusal.Audience = public(server)
	refusal.Error = "the token is nobody's"
	add("refusal", refusal, account)

	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(vectors); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
