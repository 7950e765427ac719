package io.usermap.sandbox;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.core.importer.ImportOption.OnlyIncludeTests;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
    private static final JavaClasses MAIN =
            new ClassFileImporter().withImportOption(new DoNotIncludeTests()).importPackages("io.usermap.sandbox");
    private static final JavaClasses TESTS =
            new ClassFileImporter().withImportOption(new OnlyIncludeTests()).importPackages("io.usermap.sandbox");

    @Test
    void dependsOnTheJdkJacksonAndJSpecifyOnly() {
        classes()
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage(
                        "io.usermap.sandbox",
                        "java..",
                        "com.sun.net.httpserver..",
                        "com.fasterxml.jackson..",
                        "org.jspecify.annotations..")
                .check(MAIN);
    }

    @Test
    void namesTellWhatAClassIs() {
        noClasses()
                .should()
                .haveNameMatching(".*(Util|Utils|Helper|Manager|Impl|Constants)")
                .check(MAIN);
    }

    @Test
    void livesInOneFlatPackage() {
        classes().should().resideInAPackage("io.usermap.sandbox").check(MAIN);
    }

    @Test
    void showsOnlyWhatOthersUse() {
        Set<String> published = Set.of("Sandbox", "SandboxCommand", "SandboxOptions", "SandboxRequest");
        classes()
                .that()
                .arePublic()
                .and()
                .areTopLevelClasses()
                .should()
                .haveNameMatching("io\\.usermap\\.sandbox\\.(" + String.join("|", published) + ")")
                .check(MAIN);
    }

    @Test
    void testsNeverSleep() {
        noClasses().should().callMethod(Thread.class, "sleep", long.class).check(TESTS);
    }
}
