import ArgumentParser
import Foundation
import Testing

@testable import firn

@Suite struct HelpTests {
    static var commands: [any ParsableCommand.Type] {
        let groups = Firn.configuration.groupedSubcommands.flatMap(\.subcommands)
        return groups.filter { $0.configuration.shouldDisplay }
    }

    private func name(_ command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? "?"
    }

    @Test func `the help is as it was`() throws {
        try Snapshot.expect(
            Firn.helpMessage(columns: 100) + "\n", at: "Tests/FirnTests/Snapshots/firn.txt")
        for command in HelpTests.commands {
            try Snapshot.expect(
                Firn.helpMessage(for: command, columns: 100) + "\n",
                at: "Tests/FirnTests/Snapshots/\(name(command)).txt")
        }
    }

    @Test func `every command has examples that parse`() throws {
        for command in HelpTests.commands {
            let discussion = Discussion(command.configuration.discussion)
            let examples = try #require(
                discussion.sections.first { $0.title == "EXAMPLES" }, "\(name(command)) has no examples")
            for line in examples.lines {
                #expect(line.hasPrefix("  firn "), "\(line)")
                for words in HelpTests.commandLines(line) {
                    #expect(throws: Never.self, "\(line)") { try Firn.parseAsRoot(words) }
                }
            }
        }
    }

    /// The words after each `firn` of a line of shell: enough of its syntax for the examples.
    private static func commandLines(_ line: String) -> [[String]] {
        var words: [String] = []
        var word = ""
        var quote: Character?
        for character in line + " " {
            if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == "(" {
                quote = ")"
            } else if character == " " {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return words.split(separator: "&&").map { part in
            let part = part.prefix { $0 != ">" && $0 != "|" }
            return part.first == "firn" ? Array(part.dropFirst()) : ["--help"]
        }.filter { $0 != ["--help"] }
    }

    @Test func `the manual pages are up to date`() throws {
        let pages = try Firn.GenerateManual.pages()
        #expect(pages.count == HelpTests.commands.count + 1)
        for page in pages { try Snapshot.expect(page.text, at: "docs/man/\(page.name).1") }
        let kept = try FileManager.default.contentsOfDirectory(
            atPath: Snapshot.root.appendingPathComponent("docs/man").path)
        #expect(Set(kept) == Set(pages.map { "\($0.name).1" }))
    }

    @Test func `the completions are up to date`() throws {
        let names: [(CompletionShell, String)] = [
            (.bash, "firn.bash"), (.zsh, "_firn"), (.fish, "firn.fish"),
        ]
        for (shell, file) in names {
            try Snapshot.expect(Firn.completionScript(for: shell) + "\n", at: "docs/completions/\(file)")
        }
    }

    @Test func `the manual keeps examples as they are and escapes what roff would take`() {
        let page = Discussion("First\nline.\n\nSecond.\n\nEXAMPLES:\n  firn log -n 1\n  .dot")
        #expect(page.paragraphs == ["First line.", "Second."])
        #expect(page.sections.map(\.title) == ["EXAMPLES"])
        #expect(
            Roff.literal("X", page.sections[0].lines) == [
                ".SH X", ".nf", "firn log \\-n 1", "\\&.dot", ".fi",
            ])
        #expect(Roff.escape("a\\b") == "a\\eb")
    }
}
