package main

// catalogue lists every case. The ids follow the conformance list of the project (S send, B batch, F filter, P pull,
// O ordered, R retry, D delay, M members and offsets, A admin) with a G in front.
func catalogue() []testCase {
	var every []testCase
	every = append(every, sendCases()...)
	every = append(every, consumeCases()...)
	every = append(every, pullCases()...)
	every = append(every, orderCases()...)
	every = append(every, retryCases()...)
	every = append(every, offsetCases()...)
	every = append(every, transactionCases()...)
	every = append(every, adminCases()...)
	return every
}
