import Glibc
import Store
import TestSupport

// Performs an operation on a store and is killed at one of its points:
//
//     FaultProcess STORE SOURCE SCENARIO VERB FUNCTION AFTER
//
// Ends with status 0 if the point was not reached.
let words = CommandLine.arguments
guard words.count == 7, let scenario = FaultScenario(rawValue: words[3]),
    let verb = FaultPoint.Verb(rawValue: words[4]), let after = Int(words[6])
else { exit(64) }
let fixture = try StoreFixture(at: words[1], opens: scenario != .recover)
fixture.faults.kill(at: FaultPoint(verb, in: words[5]), after: after)
try scenario.run(fixture, source: words[2])
exit(0)
