package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// gate stands before the simulator's SOAP handler. It counts calls, injects faults
// and HTTP errors, ends long polls whose client or session is gone, and keeps back
// what shall not be seen.
type gate struct {
	svc    *simulator.Service
	hidden *concealment

	mu     sync.Mutex
	counts map[string]*tally
	faults []*faultRule
	status []*statusRule

	waitMu sync.Mutex
	waits  map[string]*wait // by property collector
}

type tally struct {
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
}

type faultRule struct {
	Method  string        `json:"method"`
	Fault   string        `json:"fault"`
	Count   optional[int] `json:"count"`
	DelayMs int           `json:"delayMs"`
	left    int           // negative: no limit
}

type statusRule struct {
	Status int           `json:"status"`
	Count  optional[int] `json:"count"`
	Path   string        `json:"path"`
	left   int
}

func newGate(svc *simulator.Service, hidden *concealment) *gate {
	return &gate{svc: svc, hidden: hidden, counts: make(map[string]*tally), waits: make(map[string]*wait)}
}

// limit reads a rule's count: missing is once, zero is for ever.
func limit(count optional[int]) int {
	if n := count.or(1); n > 0 {
		return n
	}
	return -1
}

// take returns the first rule that matches and uses it up by one.
func take[R any](rules *[]*R, left func(*R) *int, matches func(*R) bool) *R {
	for i, r := range *rules {
		if !matches(r) {
			continue
		}
		if n := left(r); *n > 0 {
			if *n--; *n == 0 {
				*rules = append((*rules)[:i:i], (*rules)[i+1:]...)
			}
		}
		return r
	}
	return nil
}

// call is what the gate needs to know of a request.
type call struct {
	method string
	this   types.ManagedObjectReference
}

func parseCall(body []byte) call {
	var c call
	dec := xml.NewDecoder(bytes.NewReader(body))
	inBody := false
	for {
		tok, err := dec.Token()
		if err != nil {
			return c // the simulator's own parser will complain
		}
		start, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case !inBody:
			inBody = start.Name.Local == "Body"
		case c.method == "":
			c.method = start.Name.Local
		case start.Name.Local == "_this":
			for _, a := range start.Attr {
				if a.Name.Local == "type" && a.Name.Space == "" {
					c.this.Type = a.Value
				}
			}
			_ = dec.DecodeElement(&c.this.Value, &start)
			return c
		}
	}
}

// answer holds a response until it is known whether it may be sent.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newAnswer() *answer                      { return &answer{header: make(http.Header), status: http.StatusOK} }
func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) sendTo(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := parseCall(body)

	g.mu.Lock()
	status := take(&g.status, func(s *statusRule) *int { return &s.left },
		func(s *statusRule) bool { return s.Path == "" || s.Path == r.URL.Path })
	var rule *faultRule
	if status == nil {
		rule = take(&g.faults, func(f *faultRule) *int { return &f.left },
			func(f *faultRule) bool { return f.Method == "*" || f.Method == c.method })
	}
	g.mu.Unlock()

	res := newAnswer()
	switch {
	case status != nil:
		res.status = status.Status
	case rule != nil && !sleep(r, time.Duration(rule.DelayMs)*time.Millisecond):
		return
	case rule != nil && rule.Fault != "":
		res = faultAnswer(rule.Fault, c)
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
		if c.method == "WaitForUpdatesEx" || c.method == "WaitForUpdates" {
			res = g.wait(r, c)
		} else {
			g.svc.ServeSDK(res, r)
		}
	}
	if res == nil {
		return
	}
	if res.status == http.StatusOK {
		cut, err := g.hidden.filter(res.body.Bytes())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		res.body = *bytes.NewBuffer(cut)
	}

	g.mu.Lock()
	t := g.counts[c.method]
	if t == nil {
		t = new(tally)
		g.counts[c.method] = t
	}
	if res.status == http.StatusOK {
		t.Succeeded++
	} else {
		t.Failed++
	}
	g.mu.Unlock()
	res.sendTo(w)
}

// sleep reports whether the client is still there afterwards.
func sleep(r *http.Request, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}

// knownFault tells whether a fault of that name exists in the API.
func knownFault(name string) bool {
	t, ok := types.TypeFunc()(name)
	if !ok {
		return false
	}
	_, ok = t.FieldByName("MethodFault")
	if !ok {
		_, ok = t.FieldByName("RuntimeFault")
	}
	return ok
}

// faultAnswer writes a fault as vCenter does, with the members that clients read.
func faultAnswer(name string, c call) *answer {
	var text strings.Builder
	esc := func(s string) string {
		text.Reset()
		_ = xml.EscapeText(&text, []byte(s))
		return text.String()
	}
	ref := func(tag string) string {
		return fmt.Sprintf(`<%s type="%s">%s</%s>`, tag, esc(c.this.Type), esc(c.this.Value), tag)
	}
	members := ""
	switch name {
	case "NotAuthenticated", "NoPermission":
		members = ref("object") + "<privilegeId>System.View</privilegeId>"
	case "ManagedObjectNotFound":
		members = ref("obj")
	}
	a := newAnswer()
	a.status = http.StatusInternalServerError
	fmt.Fprintf(a, xml.Header+`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"`+
		` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">`+
		`<soapenv:Body><soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>%s (injected)</faultstring>`+
		`<detail><%sFault xmlns="urn:vim25" xsi:type="%s">%s</%sFault></detail>`+
		`</soapenv:Fault></soapenv:Body></soapenv:Envelope>`, name, name, name, members, name)
	return a
}

// wait is one long poll in progress.
type wait struct {
	session string
	this    types.ManagedObjectReference
	killed  chan struct{}
	done    chan struct{}
}

// wait serves a long poll. The simulator itself goes on polling when the client has
// left and takes updates away from the client's next poll; so such a poll is cancelled
// here, and a new one on the same collector starts only after the old one has ended.
func (g *gate) wait(r *http.Request, c call) *answer {
	mine := &wait{session: sessionOf(r), this: c.this, killed: make(chan struct{}), done: make(chan struct{})}
	g.waitMu.Lock()
	if old := g.waits[c.this.Value]; old != nil {
		g.cancel(old)
	}
	g.waits[c.this.Value] = mine
	g.waitMu.Unlock()

	res := newAnswer()
	go func() {
		g.svc.ServeSDK(res, r)
		close(mine.done)
	}()

	gone := false
	select {
	case <-mine.done:
	case <-mine.killed:
	case <-r.Context().Done():
		gone = true
	}
	g.waitMu.Lock()
	if g.waits[c.this.Value] == mine {
		if gone {
			g.cancel(mine)
		}
		delete(g.waits, c.this.Value)
	}
	g.waitMu.Unlock()
	select {
	case <-mine.killed:
		return faultAnswer("NotAuthenticated", c)
	default:
	}
	if gone {
		return nil
	}
	return res
}

// cancel ends a poll through the API. It asks again because a poll that has only
// just begun does not hear the first request; it gives up on a session that is gone.
func (g *gate) cancel(w *wait) {
	for range 50 {
		g.ask(w.session, "CancelWaitForUpdates", w.this)
		select {
		case <-w.done:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ask makes a call without arguments in the name of a session.
func (g *gate) ask(session, method string, this types.ManagedObjectReference) {
	body := fmt.Sprintf(`<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>`+
		`<%s xmlns="urn:vim25"><_this type="%s">%s</_this></%s></Body></Envelope>`, method, this.Type, this.Value, method)
	r, err := http.NewRequest(http.MethodPost, vim25.Path, strings.NewReader(body))
	if err != nil {
		return
	}
	r.AddCookie(&http.Cookie{Name: soap.SessionCookieName, Value: session})
	g.svc.ServeSDK(newAnswer(), r)
}

func sessionOf(r *http.Request) string {
	c, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return ""
	}
	return c.Value
}

func (g *gate) sessions() []types.UserSession {
	manager := types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"}
	m, ok := g.svc.Context.Session.Get(manager).(*simulator.SessionManager)
	if !ok {
		return nil
	}
	return m.SessionList
}

// endSessions ends every session as if all had expired at once. It logs them out,
// which also unregisters their collectors; merely deleting a session would leave
// those collecting updates for nobody.
func (g *gate) endSessions() int {
	g.waitMu.Lock()
	for _, w := range g.waits {
		close(w.killed)
		g.cancel(w)
	}
	clear(g.waits)
	g.waitMu.Unlock()
	list := g.sessions()
	for _, s := range list {
		g.ask(s.Key, "Logout", types.ManagedObjectReference{Type: "SessionManager", Value: "SessionManager"})
	}
	return len(list)
}
